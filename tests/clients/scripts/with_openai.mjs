// The OpenAI client of npm: a chat whole and in parts, a tool, embeddings, the models.
import OpenAI from 'openai'

const client = new OpenAI({ baseURL: `http://${process.argv[2]}/v1`, apiKey: 'none', maxRetries: 0 })
const ask = (content) => ({
  model: 'tiny', messages: [{ role: 'user', content }], reasoning_effort: 'none', temperature: 0,
})
const capital = ask('What is the capital of Japan?')
const tool = {
  type: 'function',
  function: {
    name: 'get_time',
    description: 'Get the local time of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: 'The city' } },
      required: ['city'],
    },
  },
}

const whole = await client.chat.completions.create(capital)
let streamed = ''
const parts = await client.chat.completions.create({ ...capital, stream: true })
for await (const part of parts) streamed += part.choices[0]?.delta?.content ?? ''
const called = await client.chat.completions.create({ ...ask('What time is it in Oslo?'), tools: [tool] })
const { data } = await client.embeddings.create({ model: 'tiny', input: ['one', 'two'] })
const models = await client.models.list()
console.log(JSON.stringify({
  whole: whole.choices[0].message.content,
  streamed,
  tools: (called.choices[0].message.tool_calls ?? []).map(
    (call) => [call.function.name, JSON.parse(call.function.arguments)]),
  vectors: data.map(({ embedding }) => embedding.length),
  listed: models.data.length > 0,
}))
