import { say } from "../words";
import type { Outcome } from "./outcome";

const SHAPES: Record<Outcome, string> = {
  pass: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1.600 14.400-4.200-4.200 1.600-1.600 2.600 2.600 6-6 1.600 1.600z",
  review: "M12 2 23 21H1zm-1.200 6v6.500h2.400V8zm0 8v2.400h2.400V16z",
  reject:
    "M7.500 2h9L22 7.500v9L16.500 22h-9L2 16.500v-9zm.8 4.700-1.600 1.600L10.400 12l-3.700 3.700 1.600 1.600L12 13.600l3.700 3.700 1.600-1.600-3.700-3.700 3.700-3.700-1.600-1.600L12 10.400z",
  knownDefect: "M7.500 2h9L22 7.500v9L16.500 22h-9L2 16.500v-9zM7 11v2h10v-2zm0-4v2h10V7zm0 8v2h6v-2z",
  unlikeClass: "M2 2h20v20H2zm4 6v2.400h12V8zm0 5.600V16h12v-2.400zM15 4.500 7 18l2 1.500L17 6z",
  unknownProduct:
    "M12 1 23 12 12 23 1 12zm-1 14v2.400h2.400V15zm1-9c-2 0-3.500 1.300-3.700 3.200h2.200c.1-.8.7-1.200 1.500-1.200.9 0 1.500.5 1.500 1.200 0 1.300-2.500 1.500-2.500 4.300h2.200c0-1.500 2.700-1.900 2.700-4.400C16 7.200 14.300 6 12 6z",
  cameraFault:
    "M2 6h4l2-2h8l2 2h4v14H2zm10 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM3.500 2 2 3.500 20.500 22 22 20.500z",
};

/** A verdict as a word, a shape and a colour: any one of the three says it. */
export function Badge({ outcome, large = false }: { outcome: Outcome; large?: boolean }) {
  return (
    <span class={`badge ${outcome} ${large ? "large" : ""}`}>
      <svg viewBox="0 0 24 24" aria-hidden="true" fill-rule="evenodd">
        <path d={SHAPES[outcome]} />
      </svg>
      {say(outcome)}
    </span>
  );
}
