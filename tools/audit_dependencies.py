"""Ask for known vulnerabilities of locked packages. Fails on one; says what could not be looked up.

Usage: audit_dependencies.py PIP_AUDIT REQUIREMENTS...
"""

from __future__ import annotations

import json
import subprocess
import sys

LIMIT_SECONDS = 600


def main() -> int:
    """Audit each file, and give the exit code: 1 if a package has a known vulnerability."""
    program, *files = sys.argv[1:]
    vulnerable = [file for file in files if _is_vulnerable(program, file)]
    return int(bool(vulnerable))


def _is_vulnerable(program: str, file: str) -> bool:
    command = [program, "--disable-pip", "--require-hashes", "--format", "json", "--requirement", file]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)  # noqa: S603 - ours
    if not ended.stdout:
        print(f"{file}: not audited: {ended.stderr.strip().splitlines()[-1]}")
        return False
    packages = json.loads(ended.stdout)["dependencies"]
    unknown = sum("skip_reason" in package for package in packages)
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", ())]
    print(f"{file}: {len(packages)} packages, {unknown} not known to the index, {len(found)} vulnerabilities")
    for package, flaw in found:
        print(f"  {package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions'])}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
