// Adds jobs to a BullMQ queue, then works on all of them, and prints how many there were and how many seconds it took.

import { createRequire } from "node:module";

// The packages are those of the clients' tests.
const require = createRequire(new URL("../../../tests/clients/node/package.json", import.meta.url));
const { Queue, Worker } = require("bullmq");
const { Redis } = require("ioredis");

const [port, count] = process.argv.slice(2).map(Number);
const CHUNK = 500;
const PATIENCE = 300_000;

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(new Error("the jobs are not done yet")), PATIENCE).unref();
const connection = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: { count: 1000 } } });
// Working begins when all are added, so that how often the worker finds nothing to do is no matter of luck.
const worker = new Worker("bench", async (job) => job.data.number, { connection, concurrency: 50, autorun: false });
queue.on("error", fail);
worker.on("error", fail);
worker.on("failed", (job, error) => fail(error));
await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);

const begin = performance.now();
for (let first = 0; first < count; first += CHUNK) {
  const data = (at) => ({ number: first + at, user: "a user of the bot", text: "x".repeat(100) });
  const job = (_, at) => ({ name: "notify", data: data(at) });
  await queue.addBulk(Array.from({ length: Math.min(CHUNK, count - first) }, job));
}
await new Promise((resolve) => {
  let left = count;
  worker.on("completed", () => {
    left -= 1;
    if (left === 0) {
      resolve();
    }
  });
  worker.run();
});
console.log(count, (performance.now() - begin) / 1000);
await worker.close();
await queue.close();
await connection.quit();
