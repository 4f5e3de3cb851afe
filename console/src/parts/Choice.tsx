import { say, type Word } from "../words";

interface Given<T extends string> {
  label: string;
  /** What each value is called, in the order in which they are offered. */
  names: Readonly<Record<T, Word>>;
  value: T;
  onChange: (value: T) => void;
}

/** A choice among a few values. */
export function Choice<T extends string>({ label, names, value, onChange }: Given<T>) {
  return (
    <label class="field">
      {label}
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as T)}>
        {(Object.keys(names) as T[]).map((name) => (
          <option key={name} value={name}>
            {say(names[name])}
          </option>
        ))}
      </select>
    </label>
  );
}
