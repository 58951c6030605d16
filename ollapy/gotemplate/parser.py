"""Parser: a text to its tree and those of the templates that it defines, refusing what Go refuses."""

from __future__ import annotations

from collections.abc import Collection

from .expressions import Expressions
from .literals import quote
from .stream import TokenStream
from .tokens import Kind, Token
from .tree import Action, Block, Branch, Break, Call, Continue, Node, Text


def parse(text: str, functions: Collection[str]) -> dict[str, Block]:
    """The templates by name, the text's own under ""; InvalidRequest says where Go would refuse it."""
    return _Parser(text, functions).parse()


class _Parser:
    def __init__(self, text: str, functions: Collection[str]) -> None:
        self._tokens = TokenStream(text)
        self._expressions = Expressions(self._tokens, functions)
        self._loops = 0  # around the place that is read
        self._templates: dict[str, Block] = {}

    def parse(self) -> dict[str, Block]:
        nodes: list[Node] = []
        while self._tokens.peek().kind is not Kind.EOF:
            if not self._skip_definition():
                node = self._text_or_action()
                if isinstance(node, Token):
                    self._tokens.fail(f"unexpected {{{{{node.text}}}}}")
                nodes.append(node)
        self._define("", Block(tuple(nodes)))
        return self._templates

    # Templates

    def _define(self, name: str, block: Block) -> None:
        """Of two templates with a name, one has to be blank."""
        if name not in self._templates or _is_blank(self._templates[name]):
            self._templates[name] = block
        elif not _is_blank(block):
            self._tokens.fail(f"multiple definition of template {quote(name)}")

    def _skip_definition(self) -> bool:
        """Read a `define` if the next action is one."""
        if self._tokens.peek().kind is not Kind.LEFT:
            return False
        left = self._tokens.next()
        if not self._tokens.is_keyword("define"):
            self._tokens.back(left)
            return False
        self._tokens.next_word()
        context = "define clause"
        name = self._name(self._tokens.next_word(), context)
        self._tokens.expect(context, Kind.RIGHT)
        self._define(name, self._own_block(context))
        return True

    def _name(self, token: Token, context: str) -> str:
        if token.kind is not Kind.STRING:
            self._tokens.unexpected(token, context)
        return self._expressions.unquoted(token)

    def _own_block(self, context: str) -> Block:
        """The body of another template, which sees no variables and no loop of this one."""
        kept = self._expressions.variables, self._loops
        self._expressions.variables, self._loops = ["$"], 0
        block, end = self._block()
        self._expressions.variables, self._loops = kept
        if end.text != "end":
            self._tokens.fail(f"unexpected {{{{{end.text}}}}} in {context}")
        return block

    # Blocks

    def _block(self) -> tuple[Block, Token]:
        """Nodes up to an `end` or `else`, and that."""
        nodes: list[Node] = []
        with self._tokens.deeper():
            while self._tokens.peek_word().kind is not Kind.EOF:
                node = self._text_or_action()
                if isinstance(node, Token):
                    return Block(tuple(nodes)), node
                nodes.append(node)
        raise self._tokens.problem("unexpected EOF")

    def _text_or_action(self) -> Node | Token:
        """A node, or the keyword that ends a block."""
        token = self._tokens.next_word()
        if token.kind is Kind.TEXT:
            return Text(token.text, token.line)
        if token.kind is not Kind.LEFT:
            self._tokens.unexpected(token, "input")
        self._tokens.action_line = token.line
        node = self._action()
        self._tokens.action_line = 0
        return node

    def _action(self) -> Node | Token:
        token = self._tokens.next_word()
        word = token.text if token.kind is Kind.KEYWORD else ""
        match word:
            case "if" | "with" | "range":
                return self._branch(word)
            case "end":
                self._tokens.expect("end", Kind.RIGHT)
                return token
            case "else":
                if not self._tokens.is_keyword("if", "with"):
                    self._tokens.expect("else", Kind.RIGHT)
                return token
            case "break" | "continue":
                return self._jump(token)
            case "template" | "block":
                return self._call(token)
        self._tokens.back(token)
        return Action(self._expressions.pipe("command", Kind.RIGHT), token.line)

    def _jump(self, token: Token) -> Break | Continue:
        self._tokens.expect(f"{{{{{token.text}}}}}", Kind.RIGHT)
        if not self._loops:
            self._tokens.fail(f"{{{{{token.text}}}}} outside {{{{range}}}}")
        return Break(token.line) if token.text == "break" else Continue(token.line)

    def _call(self, token: Token) -> Call:
        context = f"{token.text} clause"
        name = self._name(self._tokens.next_word(), context)
        pipe = None
        if token.text == "block" or self._tokens.peek_word().kind is not Kind.RIGHT:
            pipe = self._expressions.pipe(context, Kind.RIGHT)
        else:
            self._tokens.next_word()
        if token.text == "block":
            self._define(name, self._own_block(context))
        return Call(name, pipe, token.line)

    def _branch(self, word: str) -> Branch:
        num_variables = len(self._expressions.variables)
        pipe = self._expressions.pipe(word, Kind.RIGHT)
        self._loops += word == "range"
        body, end = self._block()
        self._loops -= word == "range"
        otherwise = self._otherwise(word) if end.text == "else" else None
        del self._expressions.variables[num_variables:]
        return Branch(word, pipe, body, otherwise, pipe.line)

    def _otherwise(self, word: str) -> Block:
        """What follows an `else`; its `if` or `with` has the block's `end` for its own."""
        if self._tokens.is_keyword(word):
            self._tokens.next_word()
            with self._tokens.deeper():
                return Block((self._branch(word),))
        block, end = self._block()
        if end.text != "end":
            self._tokens.fail(f"expected end; found {{{{{end.text}}}}}")
        return block


def _is_blank(block: Block) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in block.nodes)
