import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { say } from "../words";
import { filesOf } from "./dropped";

interface Given {
  onFiles: (files: File[]) => void;
  /** Further ways to give pictures. */
  children?: ComponentChildren;
}

/** Takes pictures: dropped anywhere on the page (folders too), pasted, chosen or photographed. */
export function Intake({ onFiles, children }: Given) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const drag = (event: DragEvent) => {
      event.preventDefault();
      setOver(event.type === "dragover");
    };
    const drop = (event: DragEvent) => {
      drag(event);
      void filesOf(event.dataTransfer).then(onFiles);
    };
    const paste = (event: ClipboardEvent) => void filesOf(event.clipboardData).then(onFiles);
    addEventListener("dragover", drag);
    addEventListener("dragleave", drag);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      removeEventListener("dragover", drag);
      removeEventListener("dragleave", drag);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  }, [onFiles]);
  const taken = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    onFiles([...(input.files ?? [])]);
    input.value = "";
  };
  return (
    <section class={`intake ${over ? "over" : ""}`}>
      <p>{say("drop")}</p>
      <label class="button">
        {say("choose")}
        <input type="file" multiple onChange={taken} />
      </label>
      <label class="button plain touch">
        {say("photograph")}
        <input type="file" accept="image/*" capture="environment" onChange={taken} />
      </label>
      {children}
    </section>
  );
}
