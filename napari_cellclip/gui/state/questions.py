"""Questions asked in a session: how a text becomes one, and the prompts as they are being edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from psygnal import Signal

from napari_cellclip.gui.state.requests import AskRequest

if TYPE_CHECKING:
    from napari_cellclip.explore.wording.wording import Prompt
    from napari_cellclip.gui.state.edits import Edits
    from napari_cellclip.gui.state.references import References
    from napari_cellclip.gui.state.requests import Request
    from napari_cellclip.gui.state.view import View

PROMPTS, QUESTION = "prompts", "question"
"""What the steps of undo call them."""

HISTORY = 100
"""Questions that the query line brings back."""


class Asked(Protocol):
    """Session, as far as questions are asked of it."""

    references: References

    @property
    def view(self) -> View: ...

    @property
    def screen(self) -> Any: ...

    def request(self, request: Request) -> None: ...

    def show_answer(self, answer: None) -> None: ...


class Questions:
    """Questions asked, the newest last, each text once.

    Parameters
    ----------
    session : Session
        Says which evidence is chosen and which references there are; its requests are the questions.
    """

    def __init__(self, session: Asked) -> None:
        self._session = session
        self.asked: list[AskRequest] = []

    @property
    def last(self) -> AskRequest | None:
        """The newest question."""
        return self.asked[-1] if self.asked else None

    def remember(self, request: AskRequest) -> None:
        """Put a question at the end."""
        others = [r for r in self.asked if r.text != request.text]
        self.asked = [*others, request][-HISTORY:]

    def of(self, text: str, **options: Any) -> AskRequest:
        """Put a text as a question on the evidence chosen; references ticked off for it stay so."""
        last = self.last
        same = last is not None and not last.like and last.text == text.strip()
        view = self._session.view
        return AskRequest(
            text,
            evidence=view.evidence,
            structures=view.structures,
            use_platemap=view.use_platemap,
            references=self._session.references.added,
            ticked_off=last.ticked_off if same and last is not None else (),
            **options,
        )

    def ask_again(self) -> None:
        """Ask the last question again, on the evidence chosen now."""
        last, session = self.last, self._session
        if last is None or session.screen is None:
            return
        kept = bool(last.like or last.prompts)
        session.request(last if kept else self.of(last.text, combine=last.combine))

    def ask(self, question: AskRequest | None) -> None:
        """Ask what was asked before, on the evidence and references of now; ``None`` clears the answer."""
        session, view = self._session, self._session.view
        if question is None:
            session.show_answer(None)
        elif session.screen is not None:
            session.request(
                replace(
                    question,
                    evidence=view.evidence,
                    structures=view.structures,
                    use_platemap=view.use_platemap,
                    references=session.references.added,
                )
            )


def alone(question: AskRequest | None) -> AskRequest | None:
    """Return a question without what it was asked on, which is part of the view and of the references."""
    if question is None:
        return None
    return replace(question, evidence="auto", structures=True, use_platemap=True, references=None)


class Prompts:
    """Evented: the prompts of the last answer, with what the user has changed in them since.

    Parameters
    ----------
    edits : Edits
        Where steps are recorded.
    """

    changed = Signal()

    def __init__(self, edits: Edits) -> None:
        self._prompts: tuple[Prompt, ...] = ()
        self._edits = edits
        edits.keep(PROMPTS, self.show)

    @property
    def value(self) -> tuple[Prompt, ...]:
        """All prompts, sent or not."""
        return self._prompts

    def show(self, prompts: Sequence[Prompt]) -> None:
        """Show these, which is no step of the user's."""
        if tuple(prompts) != self._prompts:
            self._prompts = tuple(prompts)
            self.changed.emit()

    def edit(self, prompts: Sequence[Prompt]) -> None:
        """Take what the user has made of them."""
        self._edits.record(PROMPTS, self._prompts, tuple(prompts))
        self.show(prompts)
