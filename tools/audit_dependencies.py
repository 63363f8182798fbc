"""Ask for known vulnerabilities of locked packages. Fails on one; says how many could not be looked up.

Usage: audit_dependencies.py PIP_AUDIT REQUIREMENTS...
"""

from __future__ import annotations

import json
import subprocess
import sys

LIMIT_SECONDS = 600
UNREACHABLE = "ConnectionError"
"""What is said where there is no way to the index, which is no fault of the packages."""


def main() -> int:
    """Audit the files, and give the exit code: 1 if a package has a known vulnerability."""
    program, *files = sys.argv[1:]
    wanted = [part for file in files for part in ("--requirement", file)]
    command = [program, "--disable-pip", "--require-hashes", "--format", "json", *wanted]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)  # noqa: S603 - ours
    if not ended.stdout:
        print(f"Not audited: {ended.stderr.strip().splitlines()[-1]}")
        return int(UNREACHABLE not in ended.stderr)
    packages = json.loads(ended.stdout)["dependencies"]
    unknown = sum("skip_reason" in package for package in packages)
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", ())]
    print(f"{len(packages)} packages, {unknown} not known to the index, {len(found)} known vulnerabilities")
    for package, flaw in found:
        print(f"  {package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions'])}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
