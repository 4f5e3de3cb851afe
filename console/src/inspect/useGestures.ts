import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Point } from "./look";

export interface Gestures {
  /** Screen pixels that the picture was pulled by. */
  readonly onMove: (by: Point) => void;
  /** A factor, and the place (screen pixels from the middle) that stays. */
  readonly onZoom: (factor: number, at: Point) => void;
  /** A place that was clicked or tapped. */
  readonly onPick: (at: Point) => void;
}

const STILL = 5; // pixels that a finger trembles

/** Pulls, pinches, taps and the wheel on an element. */
export function useGestures(on: RefObject<HTMLElement>, gestures: Gestures): void {
  const latest = useRef(gestures);
  latest.current = gestures;
  useEffect(() => {
    const element = on.current;
    if (!element) return;
    const fingers = new Map<number, Point>();
    let far = 0;
    const middle = (event: MouseEvent): Point => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return [event.clientX - left - width / 2, event.clientY - top - height / 2];
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault(); // or the page moves, too
      latest.current.onZoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), middle(event));
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      if (fingers.size === 0) far = 0;
      fingers.set(event.pointerId, middle(event));
    };
    const move = (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = middle(event);
      const others = [...fingers].filter(([finger]) => finger !== event.pointerId).map(([, place]) => place);
      fingers.set(event.pointerId, now);
      const [other] = others;
      if (other) {
        far = STILL;
        const between: Point = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
        latest.current.onZoom(distance(now, other) / Math.max(1, distance(before, other)), between);
        latest.current.onMove([(before[0] - now[0]) / 2, (before[1] - now[1]) / 2]);
        return;
      }
      far += distance(before, now);
      if (far >= STILL) latest.current.onMove([before[0] - now[0], before[1] - now[1]]);
    };
    const up = (event: PointerEvent) => {
      if (fingers.delete(event.pointerId) && fingers.size === 0 && far < STILL)
        latest.current.onPick(middle(event));
    };
    const away = (event: PointerEvent) => fingers.delete(event.pointerId);
    const several = (event: TouchEvent) => {
      if (event.touches.length > 1) event.preventDefault(); // or two fingers move the page, too
    };
    element.addEventListener("touchstart", several, { passive: false });
    element.addEventListener("touchmove", several, { passive: false });
    element.addEventListener("wheel", wheel, { passive: false });
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", away);
    return () => {
      element.removeEventListener("touchstart", several);
      element.removeEventListener("touchmove", several);
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
      element.removeEventListener("pointercancel", away);
    };
  }, [on]);
}

function distance([x, y]: Point, [otherX, otherY]: Point): number {
  return Math.hypot(x - otherX, y - otherY);
}
