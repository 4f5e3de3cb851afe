import { say } from "../words";

export function Classes() {
  return (
    <main>
      <h1>{say("classesView")}</h1>
    </main>
  );
}
