"""Requests about a candidate version, which judges beside the one that serves."""

from __future__ import annotations

from dataclasses import replace

from patchbank.answers.shadow import Disagreement, DisagreementList, Dropped, ShadowOut
from patchbank.client.call import Call, Pages, Value, model, path


def show_shadow(class_name: str) -> Call[ShadowOut]:
    """The candidate of a class: how often it agreed with the serving version, and whether it still judges. Raises
    ``Refused`` (``unknown_shadow``) where there is none."""
    return Call("GET", path("classes", class_name, "shadow"), model(ShadowOut))


def start_shadow(class_name: str, version: str, *, share: float = 0.1, by: str = "") -> Call[ShadowOut]:
    """Let a version judge a share of the detections beside the serving one, which alone decides."""
    document = {"version": version, "share": share, "by": by}
    return Call("PUT", path("classes", class_name, "shadow"), model(ShadowOut), document=document)


def stop_shadow(class_name: str) -> Call[Dropped]:
    """Drop the candidate. The version itself stays."""
    return Call("DELETE", path("classes", class_name, "shadow"), model(Dropped))


def disagreements(class_name: str, *, page: int = 100) -> Pages[Disagreement]:
    """Detections that the candidate decides differently from the version that served, newest first; ``page`` of them
    are asked for at once."""
    query: dict[str, Value] = {"limit": page}
    first = Call("GET", path("classes", class_name, "shadow", "disagreements"), model(DisagreementList), query=query)

    def after(call: Call[DisagreementList], answer: DisagreementList) -> Call[DisagreementList] | None:
        return None if answer.after is None else replace(call, query={**query, "after": answer.after})

    return Pages(first, lambda answer: answer.disagreements, after)
