import { say } from "../words";

export function Line() {
  return (
    <main>
      <h1>{say("line")}</h1>
    </main>
  );
}
