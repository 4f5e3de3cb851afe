import type { ComponentChildren } from "preact";

export type Tone = "good" | "watch" | "bad" | "quiet";

const SHAPES: Record<Tone, string> = {
  good: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM7 11 3.800 7.800l1.100-1.100L7 8.800l4.100-4.100 1.100 1.100z",
  watch: "M8 1 15.500 15H.5zM7.200 5.500V10h1.600V5.500zm0 5.600v1.600h1.600v-1.600z",
  bad: "M5 1h6l4 4v6l-4 4H5l-4-4V5zm.6 3.500L4.500 5.600 6.900 8l-2.400 2.400 1.100 1.100L8 9.100l2.400 2.400 1.100-1.100L9.100 8l2.400-2.400-1.100-1.100L8 6.900z",
  quiet:
    "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11zM4.500 7.200v1.600h7V7.200z",
};

/** The state of a thing as a word, a shape and a colour. */
export function Mark({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`mark ${tone}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true" fill-rule="evenodd">
        <path d={SHAPES[tone]} />
      </svg>
      {children}
    </span>
  );
}
