"""Parser: a text to its tree and those of the templates that it defines, refusing what Go refuses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ollapy.errors import InvalidRequest

from . import literals
from .errors import template_error
from .lexer import Kind, Lexer, Token
from .tree import (
    Action,
    Block,
    Branch,
    Break,
    Call,
    Chain,
    Command,
    Constant,
    Continue,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Pipe,
    Term,
    Text,
    Variable,
)

MAX_DEPTH = 100  # of blocks and parentheses
_TERMS = (
    *(Kind.BOOL, Kind.CHARACTER, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NIL),
    *(Kind.NUMBER, Kind.OPEN, Kind.STRING, Kind.VARIABLE),
)


def parse(text: str, functions: Collection[str]) -> dict[str, Block]:
    """The templates by name, the text's own under ""; InvalidRequest says where Go would refuse it."""
    return _Parser(text, functions).parse()


class _Parser:
    def __init__(self, text: str, functions: Collection[str]) -> None:
        self._functions = functions
        self._tokens = Lexer(text).tokens()
        self._pending: list[Token] = []  # given back, the next one last
        self._line = 1  # of the token that was read last
        self._action_line = 0
        self._variables = ["$"]
        self._loops = 0
        self._depth = 0
        self._templates: dict[str, Block] = {}

    def parse(self) -> dict[str, Block]:
        nodes: list[Node] = []
        while self._peek().kind is not Kind.EOF:
            if not self._skip_definition():
                node = self._text_or_action()
                if isinstance(node, Token):
                    self._fail(f"unexpected {{{{{node.text}}}}}")
                nodes.append(node)
        self._define("", Block(tuple(nodes)))
        return self._templates

    # Tokens

    def _next(self) -> Token:
        if self._pending:
            return self._pending.pop()
        token = next(self._tokens)
        self._line = token.line
        return token

    def _back(self, *tokens: Token) -> None:
        self._pending.extend(reversed(tokens))

    def _peek(self) -> Token:
        token = self._next()
        self._back(token)
        return token

    def _next_word(self) -> Token:
        while (token := self._next()).kind is Kind.SPACE:
            pass
        return token

    def _peek_word(self) -> Token:
        token = self._next_word()
        self._back(token)
        return token

    def _is_keyword(self, *words: str) -> bool:
        token = self._peek_word()
        return token.kind is Kind.KEYWORD and token.text in words

    def _expect(self, context: str, *kinds: Kind) -> Token:
        token = self._next_word()
        if token.kind not in kinds:
            self._unexpected(token, context)
        return token

    def _problem(self, problem: str) -> InvalidRequest:
        return template_error(self._line, problem)

    def _fail(self, problem: str) -> NoReturn:
        raise self._problem(problem)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"blocks and parentheses are nested more than {MAX_DEPTH} deep")
        yield
        self._depth -= 1

    def _unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind is not Kind.ERROR:
            self._fail(f"unexpected {token} in {context}")
        problem = token.text
        if self._action_line and self._action_line != token.line:
            action = "" if problem.endswith(" action") else " in action"
            problem += f"{action} started at line {self._action_line}"
        self._fail(problem)

    # Templates

    def _define(self, name: str, block: Block) -> None:
        """Of two templates with a name, one has to be blank."""
        if name not in self._templates or _is_blank(self._templates[name]):
            self._templates[name] = block
        elif not _is_blank(block):
            self._fail(f"multiple definition of template {literals.quote(name)}")

    def _skip_definition(self) -> bool:
        """Read a `define` if the next action is one."""
        if self._peek().kind is not Kind.LEFT:
            return False
        left = self._next()
        if not self._is_keyword("define"):
            self._back(left)
            return False
        self._next_word()
        context = "define clause"
        name = self._name(self._next_word(), context)
        self._expect(context, Kind.RIGHT)
        self._define(name, self._own_block(context))
        return True

    def _name(self, token: Token, context: str) -> str:
        if token.kind is not Kind.STRING:
            self._unexpected(token, context)
        return self._unquoted(token)

    def _unquoted(self, token: Token) -> str:
        try:
            return literals.unquote(token.text)
        except ValueError as exc:
            self._fail(str(exc))

    def _own_block(self, context: str) -> Block:
        """The body of another template, which sees no variables and no loop of this one."""
        kept = self._variables, self._loops
        self._variables, self._loops = ["$"], 0
        block, end = self._block()
        self._variables, self._loops = kept
        if end.text != "end":
            self._fail(f"unexpected {{{{{end.text}}}}} in {context}")
        return block

    # Blocks

    def _block(self) -> tuple[Block, Token]:
        """Nodes up to an `end` or `else`, and that."""
        nodes: list[Node] = []
        with self._deeper():
            while self._peek_word().kind is not Kind.EOF:
                node = self._text_or_action()
                if isinstance(node, Token):
                    return Block(tuple(nodes)), node
                nodes.append(node)
        raise self._problem("unexpected EOF")

    def _text_or_action(self) -> Node | Token:
        """A node, or the keyword that ends a block."""
        token = self._next_word()
        if token.kind is Kind.TEXT:
            return Text(token.text, token.line)
        if token.kind is not Kind.LEFT:
            self._unexpected(token, "input")
        self._action_line = token.line
        node = self._action()
        self._action_line = 0
        return node

    def _action(self) -> Node | Token:
        token = self._next_word()
        word = token.text if token.kind is Kind.KEYWORD else ""
        match word:
            case "if" | "with" | "range":
                return self._branch(word)
            case "end":
                self._expect("end", Kind.RIGHT)
                return token
            case "else":
                if not self._is_keyword("if", "with"):
                    self._expect("else", Kind.RIGHT)
                return token
            case "break" | "continue":
                return self._jump(token)
            case "template" | "block":
                return self._call(token)
        self._back(token)
        return Action(self._pipe("command", Kind.RIGHT), token.line)

    def _jump(self, token: Token) -> Break | Continue:
        self._expect(f"{{{{{token.text}}}}}", Kind.RIGHT)
        if not self._loops:
            self._fail(f"{{{{{token.text}}}}} outside {{{{range}}}}")
        return Break(token.line) if token.text == "break" else Continue(token.line)

    def _call(self, token: Token) -> Call:
        context = f"{token.text} clause"
        name = self._name(self._next_word(), context)
        pipe = None
        if token.text == "block" or self._peek_word().kind is not Kind.RIGHT:
            pipe = self._pipe(context, Kind.RIGHT)
        else:
            self._next_word()
        if token.text == "block":
            self._define(name, self._own_block(context))
        return Call(name, pipe, token.line)

    def _branch(self, word: str) -> Branch:
        num_variables = len(self._variables)
        pipe = self._pipe(word, Kind.RIGHT)
        self._loops += word == "range"
        body, end = self._block()
        self._loops -= word == "range"
        otherwise = self._otherwise(word) if end.text == "else" else None
        del self._variables[num_variables:]
        return Branch(word, pipe, body, otherwise, pipe.line)

    def _otherwise(self, word: str) -> Block:
        """What follows an `else`; its `if` or `with` has the block's `end` for its own."""
        if self._is_keyword(word):
            self._next_word()
            with self._deeper():
                return Block((self._branch(word),))
        block, end = self._block()
        if end.text != "end":
            self._fail(f"expected end; found {{{{{end.text}}}}}")
        return block

    # Pipes

    def _pipe(self, context: str, end: Kind) -> Pipe:
        line = self._peek_word().line
        variables, assigns = self._declarations(context)
        commands: list[Command] = []
        while (token := self._next_word()).kind is not end:
            if token.kind not in _TERMS:
                self._unexpected(token, context)
            self._back(token)
            commands.append(self._command())
        if not commands:
            self._fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.terms[0], Constant | Dot | Nil):
                self._fail(f"non executable command in pipeline stage {stage}")
        return Pipe(tuple(commands), tuple(variables), assigns, line)

    def _declarations(self, context: str) -> tuple[list[str], bool]:
        """The variables at the beginning of a pipe, and whether they are there already."""
        found: list[str] = []
        while self._peek_word().kind is Kind.VARIABLE:
            variable = self._next_word()
            after = self._peek()
            sign = self._peek_word()
            is_comma = sign.kind is Kind.OTHER and sign.text == ","
            if not is_comma and sign.kind not in (Kind.ASSIGN, Kind.DECLARE):
                self._back(variable, *((after,) if after.kind is Kind.SPACE else ()))
                break
            self._next_word()
            found.append(variable.text)
            self._variables.append(variable.text)
            if not is_comma:
                return found, sign.kind is Kind.ASSIGN
            self._check_comma(context, len(found))
        return found, False

    def _check_comma(self, context: str, num_variables: int) -> None:
        if context != "range" or num_variables > 1:
            self._fail(f"too many declarations in {context}")
        if self._peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.CLOSE):
            self._fail("range can only initialize variables")

    def _command(self) -> Command:
        line = self._peek_word().line
        terms: list[Term] = []
        while True:
            self._peek_word()
            if (term := self._operand()) is not None:
                terms.append(term)
            token = self._next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.CLOSE):
                self._back(token)
            elif token.kind is not Kind.PIPE:
                self._unexpected(token, "operand")
            if not terms:
                self._fail("empty command")
            return Command(tuple(terms), line)

    def _operand(self) -> Term | None:
        """A term with the fields behind it."""
        term = self._term()
        names: list[str] = []
        line = self._peek().line
        while term is not None and self._peek().kind is Kind.FIELD:
            names.append(self._next().text[1:])
        if not names:
            return term
        match term:
            case Field(before, _):
                return Field((*before, *names), line)
            case Variable(name, before, _):
                return Variable(name, (*before, *names), line)
            case Constant() | Nil() | Dot():
                self._fail(f"unexpected . after term {literals.quote(str(term))}")
            case None:
                return None
        return Chain(term, tuple(names), line)

    def _term(self) -> Term | None:
        token = self._next_word()
        text, line = token.text, token.line
        match token.kind:
            case Kind.DOT:
                return Dot(line)
            case Kind.NIL:
                return Nil(line)
            case Kind.BOOL:
                return Constant(text, text == "true", line)
            case Kind.STRING:
                return Constant(text, self._unquoted(token), line)
            case Kind.NUMBER | Kind.CHARACTER:
                return Constant(text, self._number(token), line)
            case Kind.FIELD:
                return Field((text[1:],), line)
            case Kind.IDENTIFIER:
                return self._identifier(token)
            case Kind.VARIABLE:
                return self._variable(token)
            case Kind.OPEN:
                return self._parenthesized()
        self._back(token)
        return None

    def _number(self, token: Token) -> int | float:
        is_character = token.kind is Kind.CHARACTER
        read = literals.unquote_character if is_character else literals.number
        try:
            return read(token.text)
        except ValueError as exc:
            self._fail(str(exc))

    def _identifier(self, token: Token) -> Identifier:
        if token.text not in self._functions:
            self._fail(f"function {literals.quote(token.text)} not defined")
        return Identifier(token.text, token.line)

    def _variable(self, token: Token) -> Variable:
        if token.text not in self._variables:
            self._fail(f"undefined variable {literals.quote(token.text)}")
        return Variable(token.text, (), token.line)

    def _parenthesized(self) -> Pipe:
        with self._deeper():
            return self._pipe("parenthesized pipeline", Kind.CLOSE)


def _is_blank(block: Block) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in block.nodes)
