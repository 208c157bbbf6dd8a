// The openai package on responses.
import OpenAI from "openai";
import { main, retries, task, TOOL, TOOL_ANSWER } from "./task.mjs";

const client = new OpenAI({ baseURL: `${task.origin}/v1`, apiKey: task.key, ...retries });
const question = [{ role: "user", content: task.prompt }];
const tools = [
  { type: "function", name: TOOL.name, description: TOOL.description, parameters: TOOL.schema, strict: true },
];

const outcome = (response) => ({
  text: response.output_text,
  input: response.usage.input_tokens,
  output: response.usage.output_tokens,
});

const streamed = (input, more = {}) =>
  client.responses.stream({ model: task.model, input, store: false, ...more }).finalResponse();

await main({
  echo: async () => outcome(await client.responses.create({ model: task.model, input: question, store: false })),
  stream: async () => outcome(await streamed(question)),
  tool: async () => {
    const first = await streamed(question, { tools });
    const results = first.output
      .filter((item) => item.type === "function_call")
      .map((call) => ({ type: "function_call_output", call_id: call.call_id, output: TOOL_ANSWER }));
    return outcome(await streamed([...question, ...first.output, ...results], { tools }));
  },
});
