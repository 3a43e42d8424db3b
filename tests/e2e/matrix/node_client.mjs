// A session of a TypeScript client: the SDK 1.x, or the client 2.x in one of its eras. Reads
// {"library": "sdk-1" | "client-2", "era": "legacy" | "modern", "targets": […]} on stdin; does the same with each target,
// all at a time, and prints one report per target as a JSON list. Lies in the folder whose node_modules has the package.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const task = JSON.parse(readFileSync(0, "utf8"));
const WATCHED = "test://watched-resource";
const NAME = "Ada";
const PATIENCE_MS = 20_000;
const POLL_MS = 20;

async function loadSdk1() {
  const base = "@modelcontextprotocol/sdk";
  const [client, stdio, sse, http, websocket, types] = await Promise.all(
    ["client/index.js", "client/stdio.js", "client/sse.js", "client/streamableHttp.js", "client/websocket.js", "types.js"]
      .map((name) => import(`${base}/${name}`)),
  );
  return { ...client, ...stdio, ...sse, ...http, ...websocket, ...types };
}

async function loadClient2() {
  return { ...(await import("@modelcontextprotocol/client")), ...(await import("@modelcontextprotocol/client/stdio")) };
}

const library = task.library === "sdk-1" ? await loadSdk1() : await loadClient2();

function transport(target) {
  switch (target.transport) {
    case "stdio": {
      const [command, ...args] = target.command;
      return new library.StdioClientTransport({ command, args, env: target.environ });
    }
    case "sse":
      return new library.SSEClientTransport(new URL(target.url + "/sse"));
    case "websocket":
      return new library.WebSocketClientTransport(new URL(target.url.replace("http", "ws") + "/ws"));
    default:
      return new library.StreamableHTTPClientTransport(new URL(target.url + "/mcp"));
  }
}

class Session {
  constructor(target) {
    this.target = target;
    this.questions = [];
    this.updates = [];
    const options = { capabilities: { elicitation: { form: {} } } };
    if (task.era === "modern") options.versionNegotiation = { mode: "auto" };
    this.client = new library.Client({ name: "matrix", version: "1" }, options);
    const asked = (request) => {
      this.questions.push(request.params.message);
      return { action: "accept", content: { name: NAME } };
    };
    const updated = (notification) => void this.updates.push(notification.params.uri);
    if (task.library === "sdk-1") {
      this.client.setRequestHandler(library.ElicitRequestSchema, asked);
      this.client.setNotificationHandler(library.ResourceUpdatedNotificationSchema, updated);
    } else {
      this.client.setRequestHandler("elicitation/create", asked);
      this.client.setNotificationHandler("notifications/resources/updated", updated);
    }
  }

  async open() {
    this.connection = transport(this.target);
    let agreed;
    const told = this.connection.setProtocolVersion?.bind(this.connection);
    this.connection.setProtocolVersion = (revision) => {
      agreed = revision;
      told?.(revision);
    };
    await this.client.connect(this.connection);
    return this.client.getNegotiatedProtocolVersion?.() ?? agreed;
  }

  async close() {
    await this.connection.terminateSession?.(); // the SDK leaves it to the application to end a session over HTTP
    await this.client.close();
  }

  call(name, args, options) {
    const params = { name, arguments: args };
    return task.library === "sdk-1" ? this.client.callTool(params, undefined, options) : this.client.callTool(params, options);
  }

  async subscribe() {
    if (task.era === "legacy") {
      await this.client.subscribeResource({ uri: WATCHED });
      return () => this.client.unsubscribeResource({ uri: WATCHED });
    }
    const subscription = await this.client.listen({ resourceSubscriptions: [WATCHED] });
    return () => subscription.close();
  }
}

async function until(condition, what) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const STEPS = {
  async list({ client }) {
    return {
      tools: (await client.listTools()).tools,
      prompts: (await client.listPrompts()).prompts,
      resources: (await client.listResources()).resources,
      resource_templates: (await client.listResourceTemplates()).resourceTemplates,
    };
  },
  call: (session) => session.call("test_multiple_content_types", {}),
  async progress(session) {
    const reports = [];
    await session.call("test_tool_with_progress", {}, { onprogress: ({ progress, total }) => reports.push([progress, total]) });
    return reports;
  },
  async elicit(session) {
    const result = await session.call("test_input_required_result_elicitation", {});
    return { questions: session.questions, text: result.content[0].text };
  },
  async cancel(session, { notes, label }) {
    const stop = new AbortController();
    const options = { signal: stop.signal, onprogress: () => stop.abort() };
    const ended = session.call("test_wait", { label }, options).catch((error) => error);
    await until(() => existsSync(join(notes, label)), "the server was not told");
    await ended;
    const still = await session.call("test_simple_text", {});
    return { told: true, "goes on": !still.isError };
  },
  async subscribe(session) {
    const end = await session.subscribe();
    await session.call("test_trigger_resource_update", {});
    await until(() => session.updates.includes(WATCHED), "no update");
    await end();
    return { updated: WATCHED };
  },
};

async function report(target) {
  const session = new Session(target);
  const done = { revision: await session.open() };
  for (const name of target.steps) {
    try {
      done[name] = await STEPS[name](session, target);
    } catch (error) {
      done[name] = { error: String(error) };
    }
  }
  await session.close();
  return done;
}

const reports = await Promise.all(task.targets.map((target) => report(target).catch((error) => ({ error: String(error) }))));
process.stdout.write(JSON.stringify(reports));
