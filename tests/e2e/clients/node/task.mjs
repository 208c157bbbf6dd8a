// What every program here shares: the task on the command line, the outcome on standard output.

/** {action: "echo" | "stream" | "tool", origin, key, model, prompt, retries, dialect}; retries is null for the default */
export const task = JSON.parse(process.argv[2]);

/** The option by which an SDK repeats as often as the task says. */
export const retries = task.retries === null ? {} : { maxRetries: task.retries };

/** The tool that a round trip offers and answers. */
export const TOOL = {
  name: "look_up",
  description: "Looks a word up.",
  schema: {
    type: "object",
    properties: { word: { type: "string", description: "The word" } },
    required: ["word"],
    additionalProperties: false,
  },
};
export const TOOL_ANSWER = "forty-two";

/** Runs the action and prints {text, input, output, status, error}; a refusal is an outcome, not a failure. */
export async function main(actions) {
  let outcome;
  try {
    outcome = await actions[task.action]();
  } catch (error) {
    outcome = { status: error.status ?? error.statusCode ?? 0, error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(outcome) + "\n");
}
