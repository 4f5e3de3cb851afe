import * as dialog from "@zag-js/dialog";
import { normalizeProps, useMachine } from "@zag-js/preact";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { say } from "../words";
import { focusAgain } from "./focus";

interface Given {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A window over the page: it has the keyboard until it is closed, by Escape too. */
export function Window({ title, onClose, children }: Given) {
  const [before] = useState(() => document.activeElement);
  useEffect(() => () => focusAgain(before), [before]);
  const machine = useMachine(dialog.machine, {
    id: useId(),
    defaultOpen: true,
    onOpenChange: ({ open }) => open || onClose(),
  });
  const api = dialog.connect(machine, normalizeProps);
  return (
    <>
      <div {...api.getBackdropProps()} class="backdrop" />
      <div {...api.getPositionerProps()} class="around">
        <div {...api.getContentProps()} class="window">
          <div class="head">
            <h2 {...api.getTitleProps()}>{title}</h2>
            <button {...api.getCloseTriggerProps()} type="button" class="button plain">
              {say("close")}
            </button>
          </div>
          {children}
        </div>
      </div>
    </>
  );
}
