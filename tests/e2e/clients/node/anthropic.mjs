// The @anthropic-ai/sdk package.
import Anthropic from "@anthropic-ai/sdk";
import { main, retries, task, TOOL, TOOL_ANSWER } from "./task.mjs";

const client = new Anthropic({ baseURL: task.origin, apiKey: task.key, ...retries });
const common = { model: task.model, max_tokens: 256 };
const question = [{ role: "user", content: task.prompt }];
const tools = [{ name: TOOL.name, description: TOOL.description, input_schema: TOOL.schema }];

const outcome = (message) => ({
  text: message.content.map((block) => block.text ?? "").join(""),
  input: message.usage.input_tokens,
  output: message.usage.output_tokens,
});

const streamed = (messages, more = {}) => client.messages.stream({ ...common, messages, ...more }).finalMessage();

await main({
  echo: async () => outcome(await client.messages.create({ ...common, messages: question })),
  stream: async () => outcome(await streamed(question)),
  tool: async () => {
    const first = await streamed(question, { tools });
    const results = first.content
      .filter((block) => block.type === "tool_use")
      .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: TOOL_ANSWER }));
    const turns = [{ role: "assistant", content: first.content }, { role: "user", content: results }];
    return outcome(await streamed([...question, ...turns], { tools }));
  },
});
