import { say } from "../words";

export function Review() {
  return (
    <main>
      <h1>{say("reviewView")}</h1>
    </main>
  );
}
