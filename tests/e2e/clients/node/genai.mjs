// The @google/genai package.
import { GoogleGenAI } from "@google/genai";
import { main, task, TOOL, TOOL_ANSWER } from "./task.mjs";

const repeats = task.retries === null ? {} : { retryOptions: { attempts: task.retries + 1 } };
const client = new GoogleGenAI({ apiKey: task.key, httpOptions: { baseUrl: task.origin, ...repeats } });
const question = [{ role: "user", parts: [{ text: task.prompt }] }];
const tools = [
  { functionDeclarations: [{ name: TOOL.name, description: TOOL.description, parametersJsonSchema: TOOL.schema }] },
];

const outcome = (text, usage) => ({
  text,
  input: usage.promptTokenCount,
  output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
});

async function streamed(contents, config = {}) {
  const parts = [];
  let usage = {};
  for await (const chunk of await client.models.generateContentStream({ model: task.model, contents, config })) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    usage = chunk.usageMetadata ?? usage;
  }
  const text = parts.map((part) => (part.thought ? "" : (part.text ?? ""))).join("");
  return [outcome(text, usage), parts];
}

await main({
  echo: async () => {
    const answer = await client.models.generateContent({ model: task.model, contents: question });
    return outcome(answer.text, answer.usageMetadata);
  },
  stream: async () => (await streamed(question))[0],
  tool: async () => {
    const [, parts] = await streamed(question, { tools });
    const results = parts
      .filter((part) => part.functionCall)
      .map(({ functionCall: { id, name } }) => ({ functionResponse: { id, name, response: { output: TOOL_ANSWER } } }));
    const turns = [{ role: "model", parts }, { role: "user", parts: results }];
    return (await streamed([...question, ...turns], { tools }))[0];
  },
});
