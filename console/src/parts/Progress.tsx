import { useId } from "preact/hooks";

interface Given {
  label: string;
  done: number;
  /** What there is to do; null where that is not known. */
  all: number | null;
}

/** How far something is. */
export function Progress({ label, done, all }: Given) {
  const name = useId();
  return (
    <div class="howfar">
      <span id={name}>{label}</span>
      <progress aria-labelledby={name} {...(all ? { value: done, max: all } : {})} />
    </div>
  );
}
