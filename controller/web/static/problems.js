// What went wrong while a page was being kept up to date or a form was sent: said in a strip at the top.

const strip = document.getElementById("problems");
const prefix = document.body.dataset.prefix;

export function say(text, link) {
  strip.replaceChildren();
  if (!text) return;
  const said = document.createElement("p");
  said.append(text);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    said.append(" ", anchor);
  }
  strip.append(said);
}

export function signedOut() {
  const here = location.pathname.slice(prefix.length) + location.search;
  say("You are not signed in any more; what you see is not kept up to date.", {
    href: `${prefix}/sign-in?next=${encodeURIComponent(here)}`,
    text: "Sign in again",
  });
}

const BY_STATUS = {
  404: "What this page shows is not there any more.",
  413: "That was too large; nothing was done.",
  503: "The database does not answer; what you see may be old.",
};

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) signedOut();
  else say(BY_STATUS[status] || `That did not work (${status}); the controller's log says more.`);
});
document.addEventListener("htmx:sendError", (event) => {
  // A page's own fetching fails together with the live stream, which says so by itself.
  if (!event.target.matches("[data-live]")) say("The controller did not answer. Look whether it was done before you try again.");
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) say("");
});
