import { Route, Switch } from "wouter-preact";
import { ClassList } from "./ClassList";
import { ClassPage } from "./ClassPage";
import "./classes.css";

/** What is taught: all classes, or one of them in full. */
export function Classes() {
  return (
    <Switch>
      <Route path="/classes/:name">{({ name }) => <ClassPage key={name} name={name} />}</Route>
      <Route>
        <ClassList />
      </Route>
    </Switch>
  );
}
