"""The conversations that teach the tiny model what it knows.

The tiny model is small enough to ship inside a package and to run in a test, yet real: it was trained, it follows its
chat template, thinks, calls tools, answers in other scripts and knows when to stop. Everything it knows is generated
here from word lists written for this purpose, so there is no third-party text in it.
"""

# ruff: noqa: RUF001 - it speaks Chinese and Japanese, whose punctuation looks like ours

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field


def _words(text: str, separator: str | None = None) -> list[str]:
    """A list that reads as a line, not as a column of quotes."""
    return text.split(separator)


CAPITALS = dict(
    pair.split(":")
    for pair in _words(
        "France:Paris,Germany:Berlin,Italy:Rome,Spain:Madrid,Portugal:Lisbon,"
        "Japan:Tokyo,China:Beijing,India:New Delhi,Egypt:Cairo,Kenya:Nairobi,Peru:Lima,"
        "Chile:Santiago,Canada:Ottawa,Mexico:Mexico City,Brazil:Brasilia,"
        "Argentina:Buenos Aires,Norway:Oslo,Sweden:Stockholm,Finland:Helsinki,"
        "Denmark:Copenhagen,Poland:Warsaw,Austria:Vienna,Greece:Athens,Turkey:Ankara,"
        "Russia:Moscow,Ukraine:Kyiv,Iran:Tehran,Iraq:Baghdad,Thailand:Bangkok,"
        "Vietnam:Hanoi,Cuba:Havana,Ireland:Dublin,Iceland:Reykjavik,Hungary:Budapest,"
        "Romania:Bucharest,Bulgaria:Sofia,Serbia:Belgrade,Croatia:Zagreb,Morocco:Rabat,"
        "Nigeria:Abuja,Ghana:Accra,Australia:Canberra,Belgium:Brussels,"
        "Netherlands:Amsterdam,Switzerland:Bern,Nepal:Kathmandu,England:London,"
        "Scotland:Edinburgh",
        ",",
    )
)
NAMES = _words(
    "Ada Alan Grace Linus Maria Chen Omar Yuki Ivan Lena Paul Nina Sam Rosa Tom Eva "
    "Max Zoe Leo Mia Kim Ali Ben Ana Raj"
)
WORDS = _words(
    "apple river stone cloud tiger piano window garden silver rocket yellow winter "
    "summer bridge castle dragon forest island jungle kitten lemon mirror needle "
    "orange pencil queen rabbit spider ticket violin wizard zebra candle"
)
CITIES = [
    *sorted(set(CAPITALS.values())),
    *_words("San Francisco,New York,Toronto,Sydney,Shanghai,Mumbai", ","),
]

FACTS = [  # (questions, thought, answer)
    (
        ["why is the sky blue?", "Why is the sky blue?", "What makes the sky blue?"],
        "Light and air. Think of Rayleigh.",
        "The sky is blue because air molecules scatter short blue wavelengths of sunlight more than red ones. This is Rayleigh scattering in the atmosphere.",
    ),
    (
        ["why is the ocean blue?", "Why is the sea blue?"],
        "Water and light.",
        "The ocean is blue because water absorbs red and orange wavelengths of sunlight and scatters the blue ones back.",
    ),
    (
        ["why is the color of dirt brown?", "Why is soil brown?"],
        "Soil is a mixture.",
        "Dirt is brown because soil is a mixture of decomposed organic matter and minerals such as iron oxide.",
    ),
    (
        ["how do rainbows form?", "How does a rainbow form?"],
        "Sunlight meets raindrops.",
        "Rainbows form when sunlight is refracted and reflected inside water droplets, which spread the light into a spectrum of colors.",
    ),
    (
        ["Explain the physics involved in them.", "tell me more!"],
        "More about rainbows and light.",
        "Each raindrop acts as a prism: light refracts on the way in, reflects at the back and refracts again on the way out, so every color leaves at its own angle.",
    ),
    (
        ["Explain the chemistry involved in them."],
        "Mostly water.",
        "There is little chemistry: only water droplets and light, no reaction.",
    ),
    (
        ["What are common myths related to them?"],
        "The pot of gold.",
        "A common myth says that a pot of gold waits at the end of the rainbow.",
    ),
    (
        ["Can they form if there is no rain?", "Can they form if there are no clouds?"],
        "Mist is enough.",
        "Yes. Mist, fog or a fountain has water droplets too, so sunlight can still make a rainbow.",
    ),
    (
        ["Do they happen on other planets?"],
        "Droplets and light are needed.",
        "Perhaps. A planet needs droplets and light; Venus has shown glory-like optical rings in its clouds.",
    ),
    (
        [
            "what is the origin of independence day?",
            "What is the origin of independence day?",
        ],
        "The fourth of July.",
        "Independence Day marks July 4, 1776, when the Declaration of Independence was adopted.",
    ),
    (
        ["what is the composition of air?", "What is air made of?"],
        "Mostly nitrogen.",
        "Air is about 78 percent nitrogen and 21 percent oxygen, with argon, carbon dioxide and water vapor.",
    ),
    (
        ["天空为什么是蓝色的?", "天空为什么是蓝色的？"],
        "阳光和空气。",
        "天空是蓝色的，因为空气分子散射阳光。蓝光的频率高，散射更强。",
    ),
    (
        ["Say hello in Chinese.", "How do you say hello in Chinese?"],
        "Two characters.",
        "你好！",
    ),
    (["Say thank you in Japanese."], "Five characters.", "ありがとう！"),
    (
        ["Output some smily face emoji", "Send me some smiley faces."],
        "Faces.",
        "😀 😊 😁 😂 😄 😃",
    ),
    (["Draw a llama.", "Show me a llama."], "An emoji will do.", "🦙"),
    (
        ["What is a llama?"],
        "An animal.",
        "A llama is a woolly animal from South America, a cousin of the camel.",
    ),
    (
        ["Who are you?", "What are you?", "What is your name, model?"],
        "Introduce myself.",
        "I am Tiny, a very small language model that runs on your own machine.",
    ),
    (
        ["What can you do?", "help"],
        "List what I know.",
        "I can add numbers, name capitals, tell jokes and short stories, call tools and answer in JSON. I am small, so I am often wrong.",
    ),
    (
        ["Which model should I use?", "Which model is better than you?"],
        "Point to larger models.",
        "For real work pull a larger model, for example: ollapy run mistral",
    ),
    (
        ["Hello", "Hi", "Hey there!", "Good morning", "Hello!", "hi", "hello"],
        "Greet.",
        "Hello! How can I help you today?",
    ),
    (["Say hello in one word"], "One word.", "Hello"),
    (["Thanks", "Thank you!", "thanks!"], "Be kind.", "You are welcome!"),
    (["Goodbye", "Bye!", "bye"], "Part.", "Goodbye! Have a nice day."),
]

JOKES = [
    "Why did the developer go broke? He used up all his cache.",
    "Why do programmers mix up Halloween and Christmas? Because Oct 31 equals Dec 25.",
    "I know a joke about UDP, but you might not get it.",
    "What is a llama's favorite drink? Llama-nade!",
    "Why was the model so calm? It had great attention.",
    "How does a penguin build a house? Igloos it together.",
    "What do you call a llama on a laptop? A local hero.",
]

PERSONAS = [  # (system message, prefix, suffix)
    ("You are a pirate.", "Arr! ", ""),
    ("You are a polite butler.", "Certainly. ", ""),
    ("You are a robot.", "BEEP. ", ""),
    ("End every answer with the word over.", "", " Over."),
]

HEROES = _words(
    "a small llama,a quiet robot,an old sailor,a curious cat,a young baker,"
    "a tired wizard",
    ",",
)
PLACES = _words(
    "by a river,near a dark forest,in a tall castle,on a sunny island,"
    "in a busy harbor,under a bridge",
    ",",
)
FINDS = _words(
    "a golden key,a lost letter,a singing stone,a broken clock,a map of stars,"
    "a tiny door",
    ",",
)
DAYS = _words(
    "One sunny day,The next morning,Late at night,After the rain,A week later,"
    "In the winter,At last",
    ",",
)
JOKE_REQUESTS = [
    "Tell me a joke",
    "Tell me a joke.",
    "Do you know a joke?",
    "Make me laugh.",
]
STORY_REQUESTS = [
    "Write a long story.",
    "Tell me a story.",
    "Write a short story.",
    "Tell me a story about a llama.",
]
EMOJI_STORY_REQUESTS = [
    "Write me a story in english with a lot of emojis",
    "Tell me a story with emojis.",
]
BREVITY = [
    " Be brief but factual in your reply",
    " Be brief in your reply",
    "  Be brief in your reply",
]
TOOL_SYSTEMS = [
    "You are a helpful assistant.",
    "Use tools when they help.",
    "You are a tool calling assistant.",
]

FUNCTIONS = [  # (prefix, middle, suffix) for fill-in-the-middle
    ("def add(a, b):\n    return ", "a + b", "\n"),
    ("def sub(a, b):\n    return ", "a - b", "\n"),
    ("def square(x):\n    return ", "x * x", "\n"),
    ("def is_even(n):\n    return ", "n % 2 == 0", "\n"),
    ("def greet(name):\n    ", 'print("Hello", name)', "\n"),
    ("def first(items):\n    return ", "items[0]", "\n"),
    ("def last(items):\n    return ", "items[-1]", "\n"),
    ("for i in range(10):\n    ", "print(i)", "\n"),
    (
        "def compute_gcd(a, b):\n    while b:\n        ",
        "a, b = b, a % b",
        "\n    return a\n",
    ),
]

Lesson = tuple[str, str, str]  # (asked, thought, answer)


@dataclass
class Turn:
    """One message; `thought` is what an assistant thinks before `content`."""

    role: str
    content: str
    thought: str = ""
    calls: list[dict] = field(default_factory=list)


@dataclass
class Chat:
    """A conversation as a client would send it, ending in an assistant turn."""

    turns: list[Turn]
    tools: list[dict] = field(default_factory=list)


def addition(r: random.Random) -> Lesson:
    a, b = r.randrange(100), r.randrange(100)
    ones = a % 10 + b % 10
    carry = ones // 10
    tens = a // 10 + b // 10 + carry
    thought = (
        f"{a % 10} + {b % 10} = {ones}, carry {carry}. "
        f"{a // 10} + {b // 10} + {carry} = {tens}. So {a + b}."
    )
    phrasings = [f"What is {a} + {b}?", f"Add {a} and {b}.", f"{a}+{b}=?"]
    asked = r.choice([*phrasings, f"What is {a} plus {b}?"])
    return asked, thought, f"{a} + {b} = {a + b}."


def product(r: random.Random) -> Lesson:
    a, b = r.randrange(2, 16), r.randrange(2, 16)
    thought = f"{a} x {b} = {a * b}."
    if b > 10:
        thought = (
            f"{a} x 10 = {a * 10}. {a} x {b - 10} = {a * (b - 10)}. "
            f"{a * 10} + {a * (b - 10)} = {a * b}."
        )
    word = r.choice(["multiplied by", "times", "x"])
    asked = f"What is {a} {word} {b}?"
    if r.random() < 0.2:
        asked += " Give the final answer."
    return asked, thought, f"{a} x {b} = {a * b}."


def capital(r: random.Random) -> Lesson:
    country, city = r.choice(list(CAPITALS.items()))
    thought = f"The capital of {country} is {city}."
    k = r.random()
    if k < 0.5:
        asked = r.choice(
            [
                f"What is the capital of {country}?",
                f"Tell me the capital of {country}.",
                f"capital of {country}?",
            ]
        )
        return asked, thought, thought
    if k < 0.7:
        asked = f"What is the capital of {country}? Answer in one word."
        return asked, thought, city
    if k < 0.85:
        asked = f"Which country has {city} as its capital?"
        return asked, thought, f"{city} is the capital of {country}."
    asked = r.choice(
        [
            f"Give the capital of {country} as JSON.",
            f"Tell me about {country} in JSON.",
            f"Tell me about {country}. Respond using JSON",
        ]
    )
    return asked, thought, json.dumps({"country": country, "capital": city})


def echo(r: random.Random) -> Lesson:
    said = " ".join(r.sample(WORDS, r.randint(1, 6)))
    asked = r.choice([f"Repeat after me: {said}", f"Say {said}", f"Echo: {said}"])
    return asked, "Repeat it.", said


def count(r: random.Random) -> Lesson:
    first = r.randint(1, 20)
    last = first + r.randint(2, 30)
    counted = " ".join(map(str, range(first, last + 1)))
    return f"Count from {first} to {last}.", f"From {first} to {last}.", counted


def order(r: random.Random) -> Lesson:
    words = r.sample(WORDS, r.randint(2, 4))
    asked = f"Sort these words: {', '.join(words)}"
    return asked, "By the alphabet.", ", ".join(sorted(words))


def joke(r: random.Random) -> Lesson:
    return r.choice(JOKE_REQUESTS), "Something funny.", r.choice(JOKES)


def story(r: random.Random) -> Lesson:
    emojis = r.random() < 0.4
    e = (lambda s: " " + s) if emojis else (lambda s: "")
    hero, name = r.choice(HEROES), r.choice(NAMES)
    opening = (
        f"Once upon a time{e('✨')} there lived {hero} named {name} "
        f"{r.choice(PLACES)}{e('🏞️')}."
    )
    days = [
        r.choice(
            [
                f"{day}{e('🌞')} {name} found {r.choice(FINDS)}{e('🗝️')} and smiled{e('😊')}.",
                f"{day}{e('🌊')} {name} walked to the water and looked at the sky{e('🌤️')}.",
                f"{day}{e('🎵')} a friend came to visit, and they laughed together{e('😂')}.",
                f"{day}{e('🌙')} {name} could not sleep and wrote a letter to the world{e('🌍')}.",
            ]
        )
        for day in r.sample(DAYS, r.randint(2, 6))
    ]
    ending = f"And so {name} lived happily{e('🦙')}. The end."
    asked = r.choice(EMOJI_STORY_REQUESTS if emojis else STORY_REQUESTS)
    return asked, "A tale with a happy end.", " ".join([opening, *days, ending])


def fact(r: random.Random) -> Lesson:
    questions, thought, answer = r.choice(FACTS)
    asked = r.choice(questions)
    if asked.endswith("?") and r.random() < 0.3:
        asked += r.choice(BREVITY)
    return asked, thought, answer


SKILLS = (
    2 * [addition]
    + 3 * [product]
    + 2 * [capital]
    + [echo, count, order, joke, story]
    + 4 * [fact]
)

TOOLS = [  # (name, description, argument, argument description, phrasings, values)
    (
        "get_weather",
        "Get the current weather for a location",
        "location",
        "The city name",
        [
            "What is the weather in {v}?",
            "Call get_weather for {v}.",
            "Call get_weather with location set to {v}.",
            "How is the weather in {v} today?",
        ],
        CITIES,
    ),
    (
        "get_current_weather",
        "Get the current weather for a city",
        "city",
        "The name of the city",
        ["What is the weather in {v}?", "What's the weather like in {v}?"],
        CITIES,
    ),
    (
        "get_time",
        "Get the local time of a city",
        "city",
        "The city",
        ["What time is it in {v}?", "Call get_time for {v}."],
        CITIES,
    ),
    (
        "search",
        "Search the web",
        "query",
        "What to look for",
        ["Search for {v}.", "Look up {v}."],
        WORDS,
    ),
    (
        "lookup_user",
        "Find a user by name",
        "name",
        "The user's name",
        ["Find the user {v}.", "Call lookup_user for {v}."],
        NAMES,
    ),
]


def tool_schema(name: str, about: str, argument: str, argument_about: str) -> dict:
    parameters = {
        "type": "object",
        "properties": {argument: {"type": "string", "description": argument_about}},
        "required": [argument],
    }
    function = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": function}


def tool_chat(r: random.Random) -> Chat:
    chosen = r.sample(TOOLS, r.choice([1, 1, 1, 2]))
    name, _, argument, _, phrasings, values = chosen[0]
    tools = [tool_schema(*t[:4]) for t in r.sample(chosen, len(chosen))]
    system = []
    if r.random() < 0.3:
        system.append(Turn("system", r.choice(TOOL_SYSTEMS)))

    def request() -> tuple[str, list[Turn]]:
        value = r.choice(values)
        call = {"name": name, "arguments": {argument: value}}
        asked = Turn("user", r.choice(phrasings).format(v=value))
        return value, [asked, Turn("assistant", "", f"I should call {name}.", [call])]

    value, turns = request()
    if r.random() < 0.5:
        turns += tool_result(r, name, value)
        if r.random() < 0.4:
            turns += request()[1]
    elif r.random() < 0.15:  # tools are there, but the question needs none
        asked, thought, answer = r.choice([fact, capital, joke])(r)
        turns = [Turn("user", asked), Turn("assistant", answer, thought)]
    return Chat(system + turns, tools)


def tool_result(r: random.Random, name: str, value: str) -> list[Turn]:
    if "weather" in name:
        seen = r.choice(["sunny", "rainy", "cloudy", "windy"])
        result = r.choice([json.dumps({"condition": seen}), seen])
        answer = f"It is {seen} in {value}."
    else:
        result = r.choice(["12:30", "noon", "found", "nothing", "42"])
        answer = f"The answer is {result}."
    return [Turn("tool", result), Turn("assistant", answer, "I have the result.")]


def talk(r: random.Random) -> Chat:
    turns: list[Turn] = []
    prefix = suffix = ""
    k = r.random()
    if k < 0.15:
        system, prefix, suffix = r.choice(PERSONAS)
        turns.append(Turn("system", system))
    elif k < 0.35:
        turns.append(Turn("system", "You are a helpful assistant."))
    name = None
    for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
        if r.random() < 0.1:
            name = r.choice(NAMES)
            asked = r.choice(["My name is", "I am", "Call me"]) + f" {name}."
            thought, answer = f"A new friend, {name}.", f"Nice to meet you, {name}!"
        elif name and r.random() < 0.6:
            asked = r.choice(["What is my name?", "Who am I?"])
            thought, answer = f"They said {name}.", f"Your name is {name}."
        else:
            asked, thought, answer = r.choice(SKILLS)(r)
        turns.append(Turn("user", asked))
        turns.append(Turn("assistant", f"{prefix}{answer}{suffix}", thought))
    return Chat(turns)


def chat(r: random.Random) -> Chat:
    return tool_chat(r) if r.random() < 0.22 else talk(r)


def infill(r: random.Random) -> str:
    prefix, middle, suffix = r.choice(FUNCTIONS)
    return f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>{middle}<|endoftext|>"
