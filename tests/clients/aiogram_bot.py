"""An aiogram bot that takes orders. Its conversations lie in RedisStorage, and the server is restarted in the middle of them.

RedisEventIsolation lets what one user sends be handled one after another: a lock that is given back by a script.

Run as `aiogram_bot.py URL begin`, then, after the restart, as `aiogram_bot.py URL finish`.
"""

import asyncio
import datetime
import sys

import redis.asyncio as redis
from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.base import BaseSession
from aiogram.filters import Command, CommandStart, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import DefaultKeyBuilder, StorageKey
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import CallbackQuery, Chat, Message, Update, User

URL, PHASE = sys.argv[1:]
BOT = 42
# Each has a conversation of their own.
USERS = range(1, 101)
# The one who leaves the conversation, the one who begins it and says no more, and the one who sends all at once.
QUITTER, SLEEPER, HASTY = 1001, 1002, 1003


class Order(StatesGroup):
    dish = State()
    portions = State()
    confirmation = State()


router = Router()


@router.message(CommandStart())
async def start(message: Message, state: FSMContext):
    await state.set_state(Order.dish)
    await message.answer("What would you like?")


@router.message(Command("cancel"), StateFilter("*"))
async def cancel(message: Message, state: FSMContext):
    await state.clear()
    await message.answer("Forgotten.")


@router.message(Command("one_more"))
async def one_more(message: Message, state: FSMContext):
    count = (await state.get_data()).get("count", 0)
    # Who came in here, between reading and writing, would count from the same number.
    await state.set_data({"count": count + 1})


@router.message(Order.dish, F.text)
async def dish(message: Message, state: FSMContext):
    await state.update_data(dish=message.text, notes=["größe", "🍜"])
    await state.set_state(Order.portions)
    await message.answer("How many?")


@router.message(Order.portions, F.text.isdigit())
async def portions(message: Message, state: FSMContext):
    data = await state.update_data(portions=int(message.text))
    await state.set_state(Order.confirmation)
    await message.answer(f"{data['portions']} times {data['dish']}?")


@router.message(Order.portions)
async def no_number(message: Message):
    await message.answer("A number, please.")


@router.callback_query(Order.confirmation, F.data == "yes")
async def confirmed(query: CallbackQuery, state: FSMContext):
    data = await state.get_data()
    await state.clear()
    await query.answer(f"{data['portions']} {data['dish']} {data['notes'][1]}")


@router.message()
async def unknown(message: Message):
    await message.answer("Say /start.")


class Recorder(BaseSession):
    """A session that sends nothing anywhere: it keeps what the bot wanted to say."""

    def __init__(self):
        super().__init__()
        self.said = {}

    async def make_request(self, bot, method, timeout=None):
        match method:
            case SendMessage():
                self.said[method.chat_id] = method.text
                return Message(message_id=1, date=datetime.datetime.now(), chat=chat(method.chat_id), text=method.text)
            case AnswerCallbackQuery():
                self.said[int(method.callback_query_id)] = method.text
                return True
        raise AssertionError(f"a bot that only answers does not call {method!r}")

    async def close(self):
        pass

    async def stream_content(self, *args, **kwargs):
        raise AssertionError("there is nothing to download")
        yield


def chat(user):
    return Chat(id=user, type="private")


def person(user):
    return User(id=user, is_bot=False, first_name=f"user {user}")


class Conversation:
    """A dispatcher with its bot, as one process has them."""

    def __init__(self, storage, isolation):
        self.session = Recorder()
        self.bot = Bot(f"{BOT}:TOKEN", session=self.session)
        # The router of this file can be included once only, so a process makes one conversation.
        self.dispatcher = Dispatcher(storage=storage, events_isolation=isolation)
        self.dispatcher.include_router(router)
        self.updates = 0

    async def say(self, user, text):
        await self.send(user, text)
        return self.session.said.pop(user)

    async def send(self, user, text):
        self.updates += 1
        message = Message(
            message_id=self.updates, date=datetime.datetime.now(), chat=chat(user), from_user=person(user), text=text
        )
        await self.dispatcher.feed_update(self.bot, Update(update_id=self.updates, message=message))

    async def press(self, user, data):
        self.updates += 1
        # As it comes from a webhook.
        raw = {
            "update_id": self.updates,
            "callback_query": {
                "id": str(user),
                "from": {"id": user, "is_bot": False, "first_name": "u"},
                "chat_instance": "1",
                "data": data,
                "message": {"message_id": 1, "date": 0, "chat": {"id": user, "type": "private"}},
            },
        }
        await self.dispatcher.feed_raw_update(self.bot, raw)
        return self.session.said.pop(user)


def storage():
    return RedisStorage.from_url(
        URL,
        key_builder=DefaultKeyBuilder(prefix="orders", with_bot_id=True, with_destiny=True),
        state_ttl=datetime.timedelta(days=1),
        data_ttl=3600,
    )


async def all_at_once(conversation, shop):
    key = StorageKey(bot_id=BOT, chat_id=HASTY, user_id=HASTY)
    before = (await shop.get_data(key)).get("count", 0)
    await asyncio.gather(*(conversation.send(HASTY, "/one_more") for _ in range(10)))
    assert await shop.get_data(key) == {"count": before + 10}
    # Who is held up elsewhere is waited for, and holds up nobody else.
    async with shop.create_isolation().lock(key):
        waiting = asyncio.create_task(conversation.send(HASTY, "/one_more"))
        await conversation.say(SLEEPER, "/start")
        assert not waiting.done() and await shop.get_data(key) == {"count": before + 10}
    await waiting
    assert await shop.get_data(key) == {"count": before + 11}


async def begin(conversation):
    async def talk(user):
        assert await conversation.say(user, "hello") == "Say /start."
        assert await conversation.say(user, "/start") == "What would you like?"
        assert await conversation.say(user, f"soup {user}") == "How many?"
        assert await conversation.say(user, "plenty") == "A number, please."
        # Every other one stands one question further when the server ends.
        if user % 2 == 0:
            assert await conversation.say(user, str(user)) == f"{user} times soup {user}?"

    await asyncio.gather(*(talk(user) for user in USERS))
    await conversation.say(QUITTER, "/start")
    await conversation.say(QUITTER, "cake")
    assert await conversation.say(QUITTER, "/cancel") == "Forgotten."
    await conversation.say(SLEEPER, "/start")


async def finish(conversation):
    async def talk(user):
        if user % 2 == 1:
            assert await conversation.say(user, str(user)) == f"{user} times soup {user}?"
        assert await conversation.press(user, "yes") == f"{user} soup {user} 🍜"
        assert await conversation.say(user, "thanks") == "Say /start."

    await asyncio.gather(*(talk(user) for user in USERS))
    assert await conversation.say(QUITTER, "cake") == "Say /start."
    assert await conversation.say(SLEEPER, "tea") == "How many?"


async def look(client, keys):
    assert {key async for key in client.scan_iter("*")} == keys
    for key in keys:
        most = 86_400 if key.endswith(":state") else 3600
        assert most - 600 < await client.ttl(key) <= most, key


def names(user, *parts):
    return {f"orders:{BOT}:{user}:{user}:default:{part}" for part in parts}


async def main():
    shop = storage()
    client = redis.Redis.from_url(URL, decode_responses=True)
    conversation = Conversation(shop, shop.create_isolation(lock_kwargs={"timeout": 600, "sleep": 0.005}))
    if PHASE == "begin":
        await begin(conversation)
        await all_at_once(conversation, shop)
        left = names(SLEEPER, "state") | names(HASTY, "data")
        await look(client, left.union(*(names(user, "state", "data") for user in USERS)))
        assert await client.get(f"orders:{BOT}:2:2:default:state") == "Order:confirmation"
    else:
        key = StorageKey(bot_id=BOT, chat_id=3, user_id=3)
        assert await shop.get_state(key) == "Order:portions"
        assert await shop.get_data(key) == {"dish": "soup 3", "notes": ["größe", "🍜"]}
        assert await shop.get_value(key, "dish") == "soup 3"
        await finish(conversation)
        await all_at_once(conversation, shop)
        await look(client, names(SLEEPER, "state", "data") | names(HASTY, "data"))
    await client.aclose()
    await shop.close()
    print("ok", PHASE)


asyncio.run(main())
