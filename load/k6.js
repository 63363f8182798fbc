// The mix of `pronoia bench load` for k6, as an open model. Set PRONOIA_KEY to a service key, URL to the server.
import http from "k6/http";
import { check } from "k6";

const words = ["garden", "river", "music", "travel", "kitchen", "project", "deadline", "coffee", "mountain", "doctor"];
const users = 100;
const url = __ENV.URL || "http://127.0.0.1:8080";

export const options = {
  scenarios: {
    sustained: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE || 150),
      timeUnit: "1s",
      duration: __ENV.DURATION || "60s",
      preAllocatedVUs: 50,
      maxVUs: 1000,
    },
  },
  thresholds: {
    http_req_failed: ["rate==0"],
    checks: ["rate==1"],
    dropped_iterations: ["count==0"],
    "http_req_duration{verb:predict}": ["p(95)<10", "p(99)<25"],
    "http_req_duration{verb:suggest}": ["p(95)<10", "p(99)<25"],
    "http_req_duration{verb:search}": ["p(95)<10", "p(99)<25"],
    "http_req_duration{verb:maintenance}": ["p(95)<100"],
  },
};

const topic = () => Array.from({ length: 5 }, () => words[Math.floor(Math.random() * words.length)]).join(" ");

const verbs = [
  [40, "predict", () => ["POST", "/api/v1/memories/predict", { context: topic() }]],
  [30, "suggest", () => ["POST", "/api/v1/memories/suggest", { context: topic() }]],
  [20, "search", () => ["POST", "/api/v1/memories/search", { query: topic() }]],
  [5, "maintenance", () => ["GET", "/api/v1/learning/maintenance-suggestions", null]],
  [5, "metrics", () => ["GET", "/api/v1/learning/metrics", null]],
];

export default function () {
  let chance = Math.random() * 100;
  const [, verb, write] = verbs.find(([share]) => (chance -= share) < 0) || verbs[0];
  const [method, path, body] = write();
  const answer = http.request(method, url + path, body && JSON.stringify(body), {
    headers: {
      "X-API-Key": __ENV.PRONOIA_KEY,
      "X-User-ID": `load-${Math.floor(Math.random() * users)}`,
      "Content-Type": "application/json",
    },
    tags: { verb },
  });
  check(answer, { "is a whole answer": (one) => one.status === 200 && !one.body.includes('"degraded":true') });
}
