// Vercel's AI SDK: a call, whole and streamed, and an object of a schema.
import assert from "node:assert";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamText, tool } from "ai";
import { z } from "zod";

const provider = createOpenAICompatible({
  name: "bot",
  baseURL: process.env.BASE_URL,
  apiKey: "sk-none",
  supportsStructuredOutputs: true,
});
const model = provider(process.env.MODEL);
const prompt = "How high is the tide at Heron Point at six?";
const schema = z.object({
  place: z.enum(["Heron Point", "Crane Bay"]),
  hour: z.number().int().min(0).max(23),
});
const asked = {
  model,
  prompt,
  tools: { tide: tool({ description: "Height of the tide", inputSchema: schema }) },
  toolChoice: "required",
};

const { object } = await generateObject({ model, schema, prompt });
schema.parse(object);

const called = await generateText(asked);
assert(called.toolCalls.length > 0);
called.toolCalls.forEach((call) => schema.parse(call.input));

const streamed = streamText(asked);
const calls = await streamed.toolCalls;
assert(calls.length > 0);
calls.forEach((call) => schema.parse(call.input));
