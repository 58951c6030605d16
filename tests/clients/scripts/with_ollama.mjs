// The Ollama client of npm: a chat whole and in parts, a tool, embeddings, the models.
import { Ollama } from 'ollama'

const client = new Ollama({ host: `http://${process.argv[2]}` })
const ask = (content) => ({
  model: 'tiny', messages: [{ role: 'user', content }], think: false, options: { temperature: 0 },
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

const whole = await client.chat(capital)
let streamed = ''
for await (const part of await client.chat({ ...capital, stream: true })) streamed += part.message.content
const called = await client.chat({ ...ask('What time is it in Oslo?'), tools: [tool] })
const { embeddings } = await client.embed({ model: 'tiny', input: ['one', 'two'] })
const { models } = await client.list()
console.log(JSON.stringify({
  whole: whole.message.content,
  streamed,
  tools: (called.message.tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]),
  vectors: embeddings.map((vector) => vector.length),
  listed: models.length > 0,
}))
