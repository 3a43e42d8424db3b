// A client of the TypeScript SDK 1.x. Reads {"target": …, "steps": [[method, params], …]} on stdin; prints one outcome
// per step as a JSON list. Lies in the folder whose node_modules has the SDK when it runs.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { readFileSync } from "node:fs";

const { target, steps } = JSON.parse(readFileSync(0, "utf8"));

function transport() {
  const requestInit = { headers: { Authorization: `Bearer ${target.token}` } };
  switch (target.transport) {
    case "stdio": {
      const [command, ...args] = target.command;
      return new StdioClientTransport({ command, args, env: target.environ });
    }
    case "sse":
      return new SSEClientTransport(new URL(target.url + "/sse"), { requestInit });
    default:
      return new StreamableHTTPClientTransport(new URL(target.url + "/mcp"), { requestInit });
  }
}

async function act(client, method, params) {
  const progress = [];
  const options = { onprogress: ({ progress: done, total }) => progress.push([done, total]) };
  const verbs = {
    "tools/list": () => client.listTools(params),
    "prompts/list": () => client.listPrompts(params),
    "resources/list": () => client.listResources(params),
    "resources/templates/list": () => client.listResourceTemplates(params),
    "tools/call": () => client.callTool(params, undefined, options),
    "prompts/get": () => client.getPrompt(params),
    "resources/read": () => client.readResource(params),
  };
  try {
    return { result: await verbs[method](), progress };
  } catch (error) {
    return { error: error.message };
  }
}

const client = new Client({ name: "e2e", version: "1" }, { capabilities: {} });
const connection = transport();
await client.connect(connection);
const outcomes = [];
for (const [method, params] of steps) outcomes.push(await act(client, method, params));
await connection.terminateSession?.(); // the SDK leaves it to the application to end a session over HTTP
await client.close();
process.stdout.write(JSON.stringify(outcomes));
