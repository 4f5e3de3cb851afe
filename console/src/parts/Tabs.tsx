import { normalizeProps, useMachine } from "@zag-js/preact";
import * as tabs from "@zag-js/tabs";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Tab {
  name: string;
  title: string;
  content: ComponentChildren;
}

interface Given {
  label: string;
  tabs: readonly Tab[];
}

/** Contents of which one is shown; arrow keys go from one to the next. */
export function Tabs({ label, tabs: given }: Given) {
  const machine = useMachine(tabs.machine, { id: useId(), defaultValue: given[0]?.name ?? null });
  const api = tabs.connect(machine, normalizeProps);
  return (
    <div {...api.getRootProps()} class="tabs">
      <div {...api.getListProps()} role="tablist" aria-label={label} class="list">
        {given.map(({ name, title }) => (
          <button key={name} type="button" {...api.getTriggerProps({ value: name })}>
            {title}
          </button>
        ))}
      </div>
      {given.map(({ name, content }) => (
        <div key={name} {...api.getContentProps({ value: name })}>
          {api.value === name && content}
        </div>
      ))}
    </div>
  );
}
