// The ai package with its providers, one per dialect.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { main, retries, task, TOOL, TOOL_ANSWER } from "./task.mjs";

const providers = {
  chat: () => createOpenAI({ baseURL: `${task.origin}/v1`, apiKey: task.key }).chat(task.model),
  responses: () => createOpenAI({ baseURL: `${task.origin}/v1`, apiKey: task.key }).responses(task.model),
  anthropic: () => createAnthropic({ baseURL: `${task.origin}/v1`, apiKey: task.key })(task.model),
  gemini: () => createGoogleGenerativeAI({ baseURL: `${task.origin}/v1beta`, apiKey: task.key })(task.model),
};
const common = { model: providers[task.dialect](), prompt: task.prompt, ...retries };
const tools = {
  [TOOL.name]: tool({
    description: TOOL.description,
    inputSchema: jsonSchema(TOOL.schema),
    execute: async () => TOOL_ANSWER,
  }),
};

async function streamed(more = {}) {
  let failure;
  const result = streamText({ ...common, ...more, onError: ({ error }) => (failure = error) });
  await result.consumeStream();
  if (failure) throw failure.lastError ?? failure;
  return outcome(await result.text, await result.usage);
}

const outcome = (text, usage) => ({ text, input: usage.inputTokens, output: usage.outputTokens });

await main({
  echo: async () => {
    try {
      const { text, usage } = await generateText(common);
      return outcome(text, usage);
    } catch (error) {
      throw error.lastError ?? error;
    }
  },
  stream: () => streamed(),
  tool: () => streamed({ tools, stopWhen: stepCountIs(3) }),
});
