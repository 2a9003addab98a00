// The way in: a link that is good once, or a token.

import * as api from "./api.js";
import { fill, h } from "./dom.js";

export function view(context) {
  const wrong = h("p.notice.critical", { role: "alert", hidden: true });
  const token = h("input", { type: "password", id: "token", name: "token", autocomplete: "off", required: true, spellcheck: "false", maxlength: 200 });
  const tell = (problem) => { wrong.hidden = false; fill(wrong, `That did not work: ${problem.message}.`); };
  const enter = async (event) => {
    event.preventDefault();
    try {
      await api.signIn({ token: token.value.trim() });
      await context.signedIn();
    } catch (problem) { token.value = ""; tell(problem); token.focus(); }
  };
  fill(context.main, h("div.door",
    h("div", h("h1", { tabindex: "-1" }, "Sign in"), h("p.lead", "With a link that is good once, made on the server:")),
    h("pre", { tabindex: "0", "aria-label": "Command" }, h("code", "monitor436 dashboard")),
    wrong,
    h("form", { submit: enter }, h("label", "or with a token", token), h("div", h("button.main", { type: "submit" }, "Sign in")))));
  if (context.once) {
    const link = context.once;
    history.replaceState(null, "", "#/");
    api.signIn({ link }).then(context.signedIn, tell);
  }
}
