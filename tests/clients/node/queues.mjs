// BullMQ: queues, workers and flows, whose every step is a script on the server.
//
// Nothing here waits for time to pass, only for what is told. Delays are of some tens of milliseconds where they must end, and
// of minutes where they must not.

import assert from "node:assert/strict";
import {
  DelayedError,
  FlowProducer,
  Job,
  Queue,
  QueueEvents,
  QueueEventsProducer,
  Relay,
  UnrecoverableError,
  WaitingChildrenError,
  Worker,
} from "bullmq";
import { Redis } from "ioredis";

const [port, protocol] = process.argv.slice(2).map(Number);
const connection = new Redis({ host: "127.0.0.1", port, protocol, maxRetriesPerRequest: null });
const MINUTES = 10 * 60_000;
// Nothing here takes so long; a wait that does has lost something.
const PATIENCE = 60_000;

const KINDS = [
  "active",
  "added",
  "cleaned",
  "completed",
  "deduplicated",
  "delayed",
  "duplicated",
  "failed",
  "paused",
  "progress",
  "removed",
  "resumed",
  "retries-exhausted",
  "stalled",
  "waiting",
  "waiting-children",
];

/** A queue with its workers and with all that it has told of itself, from its beginning on. */
class Shop {
  constructor(name, options = {}) {
    this.name = name;
    this.queue = new Queue(name, { connection, ...options });
    this.events = new QueueEvents(name, { connection, lastEventId: "0-0" });
    this.workers = [];
    this.told = [];
    this.waiting = new Set();
    for (const kind of KINDS) {
      this.events.on(kind, (event) => {
        this.told.push({ kind, ...event });
        this.look();
      });
    }
    for (const one of [this.queue, this.events]) {
      one.on("error", fail);
      // Each result that is waited for listens to both.
      one.setMaxListeners(0);
    }
  }

  worker(processor, options = {}) {
    const worker = new Worker(this.name, processor, { connection, drainDelay: 1, ...options });
    worker.on("error", fail);
    this.workers.push(worker);
    return worker;
  }

  look() {
    for (const look of this.waiting) {
      look();
    }
  }

  /** Waits until as many events of this kind, of a job if one is named, have been told, and answers with them. */
  hear(kind, { job, count = 1 } = {}) {
    const found = () => this.told.filter((event) => event.kind === kind && (!job || event.jobId === job.id));
    return within(`${count} ${kind} of ${job?.id ?? this.name}`, (resolve) => {
      const look = () => {
        if (found().length >= count) {
          this.waiting.delete(look);
          resolve(found());
        }
      };
      this.waiting.add(look);
      look();
    });
  }

  result(job) {
    return within(`the result of ${job.id}`, (resolve, reject) =>
      job.waitUntilFinished(this.events).then(resolve, reject),
    );
  }

  async counts(expected) {
    const counts = await this.queue.getJobCounts();
    assert.deepEqual(Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)), expected);
  }

  async close() {
    await Promise.all(this.workers.map((worker) => worker.close()));
    await this.queue.obliterate({ force: true });
    assert.deepEqual(await connection.keys(`bull:${this.name}:*`), [], "nothing of it is left");
    await this.events.close();
    await this.queue.close();
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

function within(what, begin) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error(`${what} did not come`)), PATIENCE);
    const end = (finish) => (value) => {
      clearTimeout(timer);
      finish(value);
    };
    begin(end(resolve), end(reject));
  });
}

/** A promise to be kept from outside. */
function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const names = (jobs) => jobs.map((job) => job.name);
const range = (count) => Array.from({ length: count }, (_, number) => number);

async function workAndResults() {
  const shop = new Shop("work");
  const { queue } = shop;
  const early = await queue.add("double", { number: 21, text: "größe 🍜\0" });
  assert.equal(await early.getState(), "waiting");
  await shop.counts({ waiting: 1 });
  const worker = shop.worker(
    async (job) => {
      await job.updateProgress({ halfway: job.data.number });
      await job.log(`doubles ${job.data.number}`);
      await job.log("has doubled");
      return { doubled: job.data.number * 2, text: job.data.text };
    },
    { concurrency: 5, name: "doubler" },
  );
  assert.deepEqual(await shop.result(early), { doubled: 42, text: "größe 🍜\0" });
  const [progress] = await shop.hear("progress", { job: early });
  assert.deepEqual(progress.data, { halfway: 21 });
  assert.deepEqual(await queue.getJobLogs(early.id), { logs: ["doubles 21", "has doubled"], count: 2 });
  const kept = await queue.getJob(early.id);
  assert.deepEqual([kept.name, kept.data.number, kept.attemptsMade, kept.processedBy], ["double", 21, 1, "doubler"]);
  assert.ok((await kept.isCompleted()) && kept.finishedOn >= kept.processedOn && kept.processedOn >= kept.timestamp);

  const jobs = await queue.addBulk(range(100).map((number) => ({ name: "double", data: { number } })));
  const results = await Promise.all(jobs.map((job) => shop.result(job)));
  assert.deepEqual(results.map((result) => result.doubled), range(100).map((number) => number * 2));
  await shop.counts({ completed: 101 });
  assert.deepEqual(names(await queue.getCompleted(0, 1)), ["double", "double"]);
  assert.equal((await queue.getJobs(["completed"], 0, -1, true))[0].id, early.id);
  const workers = await queue.getWorkers();
  assert.deepEqual(workers.map((one) => one.rawname), [`bull:${Buffer.from("work").toString("base64")}:w:doubler`]);

  // A job's own name is taken once, and what shall not be kept goes when it is done.
  const own = await queue.add("double", { number: 1 }, { jobId: "own", removeOnComplete: true });
  await shop.result(own).catch((error) => assert.match(error.message, /Missing key/));
  await shop.hear("completed", { job: own });
  assert.equal(await queue.getJobState("own"), "unknown");
  await worker.pause();
  await queue.add("double", { number: 2 }, { jobId: "twice" });
  const again = await queue.add("double", { number: 3 }, { jobId: "twice" });
  await shop.hear("duplicated", { job: again });
  assert.deepEqual((await queue.getJob("twice")).data, { number: 2 });
  worker.resume();
  assert.equal((await shop.result(again)).doubled, 4);
  for (const number of range(5)) {
    await shop.result(await queue.add("double", { number }, { removeOnComplete: { count: 3 } }));
  }
  await shop.counts({ completed: 3 });
  await shop.close();
}

async function delays() {
  const shop = new Shop("delays");
  const timestamp = Date.now();
  const jobs = await shop.queue.addBulk(
    [60, 20, 40].map((delay) => ({ name: `after ${delay}`, data: {}, opts: { delay, timestamp } })),
  );
  const [later, sooner] = await shop.queue.addBulk(
    ["later", "sooner"].map((name) => ({ name, data: {}, opts: { delay: MINUTES } })),
  );
  await shop.counts({ delayed: 5 });
  assert.deepEqual(names(await shop.queue.getDelayed(0, 2)), ["after 20", "after 40", "after 60"]);
  const told = await shop.hear("delayed", { count: 5 });
  assert.equal(told[1].delay, timestamp + 20);
  const order = [];
  shop.worker(async (job) => {
    order.push(job.name);
    assert.ok(!job.name.startsWith("after") || Date.now() >= job.timestamp + job.delay);
  });
  await Promise.all(jobs.map((job) => shop.result(job)));
  assert.deepEqual(order, ["after 20", "after 40", "after 60"]);
  assert.equal(await later.getState(), "delayed");
  await later.promote();
  await shop.result(later);
  await sooner.changeDelay(10);
  await shop.result(sooner);
  const many = await shop.queue.addBulk(range(20).map(() => ({ name: "many", data: {}, opts: { delay: MINUTES } })));
  await shop.queue.promoteJobs({ count: 7 });
  await Promise.all(many.map((job) => shop.result(job)));
  await shop.close();
}

async function schedulers() {
  const shop = new Shop("schedulers");
  const { queue } = shop;
  const first = await queue.upsertJobScheduler(
    "tick",
    { every: 20, limit: 4 },
    { name: "ticks", data: { of: "a clock" }, opts: { attempts: 2 } },
  );
  assert.equal(first.repeatJobKey, "tick");
  await queue.upsertJobScheduler("each second", { pattern: "* * * * * *", limit: 1 }, { name: "second" });
  await queue.upsertJobScheduler("seldom", { every: MINUTES, startDate: Date.now() + MINUTES });
  await queue.upsertJobScheduler("seldom", { every: 2 * MINUTES, startDate: Date.now() + MINUTES }, { name: "other" });
  assert.equal(await queue.getJobSchedulersCount(), 3);
  const tick = await queue.getJobScheduler("tick");
  assert.deepEqual([tick.key, tick.name, tick.every, tick.limit], ["tick", "ticks", 20, 4]);
  assert.deepEqual(tick.template.data, { of: "a clock" });
  shop.worker(async (job) => job.data.of ?? job.name);
  const completed = await shop.hear("completed", { count: 5 });
  const values = completed.map((event) => event.returnvalue).sort();
  assert.deepEqual(values, ["a clock", "a clock", "a clock", "a clock", "second"]);
  const [seldom] = (await queue.getJobSchedulers()).filter((one) => one.key === "seldom");
  assert.deepEqual([seldom.name, seldom.every], ["other", 2 * MINUTES]);
  assert.deepEqual(names(await queue.getDelayed()), ["other"], "the new one stands where the old one stood");
  assert.equal(await queue.removeJobScheduler("seldom"), true);
  assert.equal(await queue.removeJobScheduler("seldom"), false);
  assert.equal(await queue.getDelayedCount(), 0);
  await shop.close();
}

async function priorities() {
  const shop = new Shop("priorities");
  const { queue } = shop;
  for (const [name, opts] of [
    ["third", { priority: 3 }],
    ["first", { priority: 1 }],
    ["second", { priority: 2 }],
    ["second too", { priority: 2 }],
    ["last", { priority: 2_097_151 }],
    ["plain", {}],
    ["front", { lifo: true }],
  ]) {
    await queue.add(name, {}, opts);
  }
  await shop.counts({ waiting: 2, prioritized: 5 });
  assert.deepEqual(await queue.getCountsPerPriority([0, 1, 2, 3]), { 0: 2, 1: 1, 2: 2, 3: 1 });
  const [third] = (await queue.getPrioritized()).filter((job) => job.name === "third");
  await third.changePriority({ priority: 1 });
  const order = [];
  shop.worker(async (job) => {
    order.push(job.name);
  });
  await shop.hear("completed", { count: 7 });
  assert.deepEqual(order, ["front", "plain", "first", "third", "second", "second too", "last"]);
  await shop.close();
}

async function rateLimits() {
  const shop = new Shop("limits");
  const { queue } = shop;
  await queue.addBulk(range(6).map((number) => ({ name: "limited", data: { number } })));
  const done = [];
  // The window lasts for minutes, and the worker looks every twenty milliseconds whether it is over.
  shop.worker(async (job) => done.push(job.data.number), {
    limiter: { max: 2, duration: MINUTES },
    maximumRateLimitDelay: 20,
  });
  for (const round of [1, 2, 3]) {
    await shop.hear("completed", { count: 2 * round });
    assert.deepEqual(done, range(2 * round));
    const left = await queue.getRateLimitTtl();
    assert.ok(left > 0 && left <= MINUTES, `${left}`);
    await queue.removeRateLimitKey();
  }
  await Promise.all(shop.workers.map((worker) => worker.close()));

  // A worker that says itself that it is too much gives the job back.
  let refusals = 2;
  const worker = shop.worker(
    async () => {
      if (refusals > 0) {
        refusals -= 1;
        await queue.rateLimit(20);
        throw Worker.RateLimitError();
      }
      return "at last";
    },
    { limiter: { max: 100, duration: 20 } },
  );
  assert.equal(await shop.result(await queue.add("refused", {})), "at last");
  assert.equal(refusals, 0);
  await worker.close();
  // A limit for all workers is kept with the queue.
  await queue.setGlobalRateLimit(1, MINUTES);
  assert.deepEqual(await queue.getGlobalRateLimit(), { max: 1, duration: MINUTES });
  shop.worker(async () => {}, { maximumRateLimitDelay: 20 });
  const [one, two] = await queue.addBulk(range(2).map(() => ({ name: "one by one", data: {} })));
  await shop.result(one);
  assert.equal(await two.getState(), "waiting");
  assert.ok((await queue.getRateLimitTtl()) > 0);
  await queue.removeGlobalRateLimit();
  await queue.removeRateLimitKey();
  await shop.result(two);
  await shop.close();
}

async function globalConcurrency() {
  const shop = new Shop("concurrency");
  await shop.queue.setGlobalConcurrency(2);
  assert.equal(await shop.queue.getGlobalConcurrency(), 2);
  let [now, most] = [0, 0];
  const processor = async (job) => {
    now += 1;
    most = Math.max(most, now);
    await job.updateProgress(50);
    now -= 1;
  };
  shop.worker(processor, { concurrency: 4 });
  shop.worker(processor, { concurrency: 4 });
  await shop.queue.addBulk(range(40).map((number) => ({ name: "one of many", data: { number } })));
  await shop.hear("completed", { count: 40 });
  assert.ok(most <= 2, `${most} at once`);
  await shop.close();
}

async function flows() {
  const shop = new Shop("flows");
  const parts = new Shop("parts");
  const producer = new FlowProducer({ connection });
  producer.on("error", fail);
  const tree = await producer.add({
    name: "meal",
    queueName: "flows",
    data: { guests: 2 },
    children: [
      { name: "soup", queueName: "parts", data: { price: 4 } },
      {
        name: "menu",
        queueName: "parts",
        data: { price: 1 },
        children: range(3).map((price) => ({ name: `dish ${price}`, queueName: "parts", data: { price } })),
      },
    ],
  });
  assert.equal(await tree.job.getState(), "waiting-children");
  await shop.counts({ "waiting-children": 1 });
  assert.deepEqual(await tree.job.getDependenciesCount(), { failed: 0, ignored: 0, processed: 0, unprocessed: 2 });
  const seen = await producer.getFlow({ id: tree.job.id, queueName: "flows" });
  assert.deepEqual(seen.children.map((child) => child.job.name).sort(), ["menu", "soup"]);
  assert.equal(seen.children.find((child) => child.job.name === "menu").children.length, 3);
  const sum = async (job) => {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((total, value) => total + value, job.data.price ?? 0);
  };
  parts.worker(sum, { concurrency: 3 });
  shop.worker(async (job) => (await sum(job)) * job.data.guests);
  assert.equal(await shop.result(tree.job), 16);
  const { processed } = await tree.job.getDependencies({ processed: {} });
  assert.deepEqual(Object.values(processed).sort(), [4, 4]);
  await shop.counts({ completed: 1 });
  await parts.counts({ completed: 5 });
  await Promise.all(parts.workers.map((worker) => worker.close()));

  // What becomes of a parent whose child fails is the child's to say.
  parts.worker(async (job) => {
    if (job.name === "burnt") {
      throw new UnrecoverableError("no longer edible");
    }
    return "fine";
  });
  const meal = (opts) => ({
    name: "meal",
    queueName: "flows",
    data: { guests: 1 },
    children: [
      { name: "burnt", queueName: "parts", data: {}, opts },
      { name: "good", queueName: "parts", data: {} },
    ],
  });
  await Promise.all(shop.workers.map((worker) => worker.close()));
  shop.worker(async (job) => ({
    values: Object.values(await job.getChildrenValues()),
    ignored: Object.values(await job.getIgnoredChildrenFailures()),
  }));
  const [failing, ignoring, removing, continuing] = await producer.addBulk([
    meal({ failParentOnFailure: true }),
    meal({ ignoreDependencyOnFailure: true }),
    meal({ removeDependencyOnFailure: true }),
    meal({ continueParentOnFailure: true }),
  ]);
  await assert.rejects(shop.result(failing.job), /child .* failed/);
  assert.deepEqual(await shop.result(ignoring.job), { values: ["fine"], ignored: ["no longer edible"] });
  assert.deepEqual(await shop.result(removing.job), { values: ["fine"], ignored: [] });
  assert.deepEqual((await shop.result(continuing.job)).ignored, ["no longer edible"]);
  // The first and the last of them did not wait for the other child.
  await parts.hear("completed", { count: 9 });
  await parts.counts({ completed: 9, failed: 4 });

  // A job can make its children when it runs, and goes on when they are done; a chain of it is one job in several steps.
  const stepping = shop.queue;
  await Promise.all(shop.workers.map((worker) => worker.close()));
  shop.worker(async (job, token) => {
    if (job.data.step !== "sum") {
      for (const number of range(3)) {
        const parent = { id: job.id, queue: job.queueQualifiedName };
        await parts.queue.add("good", { number }, { parent });
      }
      await job.updateData({ step: "sum" });
      if (await job.moveToWaitingChildren(token)) {
        throw new WaitingChildrenError();
      }
    }
    return Object.values(await job.getChildrenValues()).length;
  });
  assert.equal(await shop.result(await stepping.add("steps", { step: "begin" })), 3);

  // Children go with their parent, also those who wait.
  await Promise.all([...parts.workers, ...shop.workers].map((worker) => worker.close()));
  const unwanted = await producer.add(meal({}));
  await parts.counts({ waiting: 2, completed: 12, failed: 4 });
  await unwanted.job.removeUnprocessedChildren();
  await parts.counts({ completed: 12, failed: 4 });
  await shop.queue.remove(unwanted.job.id, { removeChildren: true });
  assert.equal(await unwanted.job.getState(), "unknown");
  await producer.close();
  await parts.close();
  await shop.close();
}

async function stalledJobs() {
  const shop = new Shop("stalled");
  const taken = gate();
  // It takes a job, and then neither works on nor renews its lock, as if its process stood still.
  const dead = shop.worker(
    () => {
      taken.open();
      return new Promise(() => {});
    },
    { lockDuration: 20, skipLockRenewal: true, skipStalledCheck: true },
  );
  const job = await shop.queue.add("survives", {});
  await taken.opened;
  await shop.counts({ active: 1 });
  shop.worker(async () => "by another", { stalledInterval: 20 });
  await shop.hear("stalled", { job });
  assert.equal(await shop.result(job), "by another");
  assert.deepEqual([(await Job.fromId(shop.queue, job.id)).stalledCounter], [1]);
  await dead.close(true);
  await Promise.all(shop.workers.map((worker) => worker.close()));

  // One that stalls more often than is allowed has failed, and its worker's late result is refused.
  const [begun, late, refused] = [gate(), gate(), gate()];
  const slow = new Worker(
    "stalled",
    async () => {
      begun.open();
      await late.opened;
      return "too late";
    },
    { connection, lockDuration: 20, skipLockRenewal: true, skipStalledCheck: true },
  );
  slow.on("error", (error) => refused.open(error.message));
  const lost = await shop.queue.add("is lost", {});
  await begun.opened;
  shop.worker(async () => "by nobody", { stalledInterval: 20, maxStalledCount: 0 });
  await assert.rejects(shop.result(lost), /stalled more than allowable limit/);
  late.open();
  assert.match(await refused.opened, /Missing lock for job|not in the active state/);
  await slow.close(true);
  await shop.counts({ completed: 1, failed: 1 });
  await shop.close();
}

async function locksAreRenewed() {
  const shop = new Shop("renewed");
  const [begun, end] = [gate(), gate()];
  shop.worker(
    async () => {
      begun.open();
      await end.opened;
      return "unhurried";
    },
    { lockDuration: MINUTES, lockRenewTime: 20 },
  );
  const job = await shop.queue.add("takes its time", {});
  await begun.opened;
  const lock = `bull:renewed:${job.id}:lock`;
  // Shortened by hand, it is as long as ever when the worker has renewed it.
  await connection.pexpire(lock, MINUTES / 2);
  await within("a renewed lock", async (resolve) => {
    while ((await connection.pttl(lock)) <= MINUTES / 2) {}
    resolve();
  });
  end.open();
  assert.equal(await shop.result(job), "unhurried");
  assert.equal(await connection.exists(lock), 0);
  await shop.close();
}

async function failuresAndRetries() {
  const shop = new Shop("retries");
  const { queue } = shop;
  const worker = shop.worker(
    async (job, token) => {
      switch (job.name) {
        case "flaky":
          if (job.attemptsMade < job.data.failures) {
            throw new Error(`failure ${job.attemptsMade}`);
          }
          return job.attemptsMade;
        case "hopeless":
          throw new UnrecoverableError("never");
        case "later":
          if (!job.data.moved) {
            await job.updateData({ moved: true });
            await job.moveToDelayed(Date.now() + 10, token);
            throw new DelayedError();
          }
          return "moved";
      }
    },
    { settings: { backoffStrategy: (attempts) => 5 * attempts }, concurrency: 10 },
  );
  const flaky = (failures, attempts, backoff) => queue.add("flaky", { failures }, { attempts, backoff });
  const fixed = await flaky(2, 3, { type: "fixed", delay: 20 });
  const growing = await flaky(3, 4, { type: "exponential", delay: 5 });
  const custom = await flaky(2, 3, { type: "custom" });
  const jittered = await flaky(2, 3, { type: "exponential", delay: 5, jitter: 0.5 });
  const hasty = await flaky(1, 2, 0);
  assert.equal(await shop.result(fixed), 2);
  assert.equal(await shop.result(growing), 3);
  assert.equal(await shop.result(custom), 2);
  assert.equal(await shop.result(jittered), 2);
  assert.equal(await shop.result(hasty), 1);
  assert.equal((await shop.hear("delayed", { job: growing, count: 3 })).length, 3);
  const after = await Job.fromId(queue, fixed.id);
  assert.deepEqual([after.attemptsMade, after.attemptsStarted, after.stacktrace.length], [3, 3, 2]);
  assert.match(after.stacktrace[1], /^Error: failure 1/);

  const exhausted = await flaky(9, 2, { type: "fixed", delay: 5 });
  await assert.rejects(shop.result(exhausted), /failure 1/);
  await shop.hear("retries-exhausted", { job: exhausted });
  const hopeless = await queue.add("hopeless", {}, { attempts: 5 });
  await assert.rejects(shop.result(hopeless), /never/);
  assert.equal((await Job.fromId(queue, hopeless.id)).attemptsMade, 1);
  assert.equal(await shop.result(await queue.add("later", {})), "moved");
  await shop.counts({ completed: 6, failed: 2 });

  // Once more by hand, one or all.
  const again = await Job.fromId(queue, exhausted.id);
  assert.equal(again.failedReason, "failure 1");
  await again.updateData({ failures: 2 });
  await again.retry();
  await shop.hear("completed", { job: exhausted });
  await queue.retryJobs();
  await shop.hear("failed", { job: hopeless, count: 2 });
  await worker.pause();
  await queue.retryJobs({ state: "completed", count: 3 });
  await shop.counts({ waiting: 7, failed: 1 });
  worker.resume();
  await shop.hear("completed", { count: 14 });
  await shop.counts({ completed: 7, failed: 1 });
  await shop.close();
}

async function pauses() {
  const shop = new Shop("pauses");
  const { queue } = shop;
  await queue.pause();
  await shop.hear("paused");
  assert.equal(await queue.isPaused(), true);
  const worker = shop.worker(async (job) => job.data.number);
  const jobs = await queue.addBulk(range(3).map((number) => ({ name: "paused", data: { number } })));
  const urgent = await queue.add("paused", { number: 9 }, { priority: 1 });
  await worker.waitUntilReady();
  await shop.counts({ waiting: 3, prioritized: 1 });
  await queue.resume();
  await shop.hear("resumed");
  assert.deepEqual(await Promise.all([...jobs, urgent].map((job) => shop.result(job))), [0, 1, 2, 9]);
  assert.equal(await queue.isPaused(), false);
  // A worker alone pauses too.
  await worker.pause();
  const held = await queue.add("held", { number: 4 });
  await shop.counts({ waiting: 1, completed: 4 });
  worker.resume();
  assert.equal(await shop.result(held), 4);
  await shop.close();
}

async function cleaning() {
  const shop = new Shop("cleaning", { defaultJobOptions: { attempts: 1 } });
  const { queue } = shop;
  const worker = shop.worker(async (job) => {
    assert.ok(job.data.number % 2 === 0, "odd");
  });
  await queue.addBulk(range(20).map((number) => ({ name: "cleaned", data: { number } })));
  await shop.hear("completed", { count: 10 });
  await shop.hear("failed", { count: 10 });
  await worker.close();
  await queue.addBulk(range(4).map((number) => ({ name: "cleaned", data: { number }, opts: { delay: MINUTES } })));
  await queue.addBulk(range(3).map((number) => ({ name: "cleaned", data: { number } })));
  await queue.addBulk(range(2).map((number) => ({ name: "cleaned", data: { number }, opts: { priority: 5 } })));
  await shop.counts({ completed: 10, failed: 10, delayed: 4, waiting: 3, prioritized: 2 });
  assert.equal(await queue.count(), 9);
  assert.equal((await queue.clean(0, 3, "completed")).length, 3);
  assert.deepEqual(await queue.clean(MINUTES, 0, "failed"), [], "none of them is old enough");
  assert.equal((await queue.clean(0, 0, "failed")).length, 10);
  assert.equal((await queue.clean(0, 2, "delayed")).length, 2);
  assert.equal((await queue.clean(0, 1, "wait")).length, 1);
  await shop.hear("cleaned", { count: 4 });
  await shop.counts({ completed: 7, delayed: 2, waiting: 2, prioritized: 2 });
  await queue.drain();
  await shop.counts({ completed: 7, delayed: 2 });
  await queue.drain(true);
  await shop.counts({ completed: 7 });
  await queue.trimEvents(2);
  assert.ok((await connection.xlen("bull:cleaning:events")) >= 2);
  const [begun, end] = [gate(), gate()];
  shop.worker(async () => {
    begun.open();
    await end.opened;
  });
  const active = await queue.add("cleaned", { number: 0 });
  await begun.opened;
  await queue.pause();
  await assert.rejects(queue.obliterate(), /active jobs/);
  assert.equal(await active.getState(), "active");
  assert.equal(await queue.remove(active.id), 0, "who works on it holds its lock");
  end.open();
  await shop.hear("completed", { job: active });
  await shop.close();
}

async function deduplication() {
  const shop = new Shop("deduplication");
  const { queue } = shop;
  const once = (number, deduplication, more) => queue.add("once", { number }, { deduplication, ...more });
  const first = await once(1, { id: "simple" });
  const second = await once(2, { id: "simple" });
  assert.equal(second.id, first.id);
  await shop.hear("deduplicated", { job: first });
  assert.equal(await queue.getDeduplicationJobId("simple"), first.id);
  const throttled = await once(3, { id: "throttled", ttl: MINUTES });
  assert.equal((await once(4, { id: "throttled", ttl: MINUTES })).id, throttled.id);
  // The last of those that come while it is delayed is the one that runs.
  await once(5, { id: "debounced", ttl: MINUTES, extend: true, replace: true }, { delay: MINUTES });
  const last = await once(6, { id: "debounced", ttl: MINUTES, extend: true, replace: true }, { delay: 10 });
  await shop.counts({ waiting: 2, delayed: 1 });
  const done = [];
  shop.worker(async (job) => done.push(job.data.number));
  await shop.result(last);
  assert.deepEqual(done, [1, 3, 6]);
  await shop.result(await once(7, { id: "simple" }));
  assert.equal((await once(8, { id: "throttled", ttl: MINUTES })).id, throttled.id, "its time is not over");
  assert.equal(await queue.removeDeduplicationKey("throttled"), 1);
  await shop.result(await once(9, { id: "throttled", ttl: MINUTES }));
  assert.deepEqual(done, [1, 3, 6, 7, 9]);
  await shop.close();
}

async function eventsAndMetrics() {
  const shop = new Shop("events");
  const { queue, events } = shop;
  shop.worker(async (job) => job.data.number, { metrics: { maxDataPoints: 60 } });
  const job = await queue.add("told", { number: 7 });
  await shop.hear("completed", { job });
  const kinds = shop.told.filter((event) => event.jobId === job.id).map((event) => event.kind);
  assert.deepEqual(kinds, ["added", "waiting", "active", "completed"]);
  const producer = new QueueEventsProducer("events", { connection });
  const heard = within("an event of our own", (resolve) => events.on("greeting", resolve));
  await producer.publishEvent({ eventName: "greeting", text: "hello" });
  assert.equal((await heard).text, "hello");
  const metrics = await queue.getMetrics("completed");
  assert.equal(metrics.meta.count, 1);
  assert.match(await queue.exportPrometheusMetrics(), /bullmq_job_count\{queue="events", state="completed"\} 1/);
  assert.equal((await queue.getQueueEvents()).length, 1);
  const raw = await connection.xrange("bull:events:events", "-", "+", "COUNT", 1);
  assert.deepEqual(raw[0][1].slice(0, 4), ["event", "added", "jobId", job.id]);
  await producer.close();
  await shop.close();
}

async function forgottenScripts() {
  const shop = new Shop("forgotten");
  shop.worker(async (job) => job.data.number, { concurrency: 3 });
  for (const number of range(10)) {
    await connection.script("FLUSH");
    const jobs = await shop.queue.addBulk(range(5).map(() => ({ name: "work", data: { number }, opts: { delay: 1 } })));
    await connection.script("FLUSH");
    assert.deepEqual(await Promise.all(jobs.map((job) => shop.result(job))), range(5).fill(number));
  }
  await shop.counts({ completed: 50 });
  await shop.close();
}

async function relays() {
  const [first, second] = range(2).map(() => new Relay({ connection, blockTimeout: 100 }));
  for (const relay of [first, second]) {
    relay.on("error", fail);
    await relay.waitUntilReady();
  }
  const heard = [];
  let look = () => {};
  const listen = (who) => (message) => {
    heard.push(`${who}: ${message.topic} ${message.data}`);
    look();
  };
  await first.publish("news.old", "kept", { retain: MINUTES });
  await first.subscribe("news.old", listen("first"));
  await first.subscribe("news.*", listen("first"));
  await second.subscribe("weather.>", listen("second"));
  await second.subscribe("news.sport", listen("second"));
  await second.publish("news.sport", "goal");
  await first.publish("weather.north.coast", "rain");
  await first.publish("nothing.for.anybody", "lost");
  await within("what was published", (resolve) => {
    look = () => heard.length >= 4 && resolve();
    look();
  });
  const expected = ["first: news.old kept", "first: news.sport goal", "second: news.sport goal"];
  assert.deepEqual(heard.sort(), [...expected, "second: weather.north.coast rain"]);
  assert.equal(await first.deleteRetained("news.old"), true);
  assert.deepEqual([(await first.getNodes()).length, (await first.getSubscriptions()).length], [2, 4]);
  await first.close();
  await second.close();
}

for (const program of [
  workAndResults,
  delays,
  schedulers,
  priorities,
  rateLimits,
  globalConcurrency,
  flows,
  stalledJobs,
  locksAreRenewed,
  failuresAndRetries,
  pauses,
  cleaning,
  deduplication,
  eventsAndMetrics,
  forgottenScripts,
  relays,
]) {
  await program();
  console.log("ok", program.name);
}
await connection.quit();
