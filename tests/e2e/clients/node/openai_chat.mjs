// The openai package on chat completions.
import OpenAI from "openai";
import { main, retries, task, TOOL, TOOL_ANSWER } from "./task.mjs";

const client = new OpenAI({ baseURL: `${task.origin}/v1`, apiKey: task.key, ...retries });
const question = [{ role: "user", content: task.prompt }];
const tools = [
  { type: "function", function: { name: TOOL.name, description: TOOL.description, parameters: TOOL.schema } },
];

const outcome = (completion) => ({
  text: completion.choices[0].message.content,
  input: completion.usage.prompt_tokens,
  output: completion.usage.completion_tokens,
});

const streamed = (messages, more = {}) =>
  client.chat.completions
    .stream({ model: task.model, messages, stream_options: { include_usage: true }, ...more })
    .finalChatCompletion();

await main({
  echo: async () => outcome(await client.chat.completions.create({ model: task.model, messages: question })),
  stream: async () => outcome(await streamed(question)),
  tool: async () => {
    const first = (await streamed(question, { tools })).choices[0].message;
    const results = first.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: TOOL_ANSWER }));
    return outcome(await streamed([...question, first, ...results], { tools }));
  },
});
