// What is asked in the dialog: opened when something was put into it, closed by Escape, by its button, or by a link.

const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== body) return;
  if (!dialog.open) dialog.showModal();
  const first = body.querySelector("[aria-invalid=true], [autofocus], input:not([type=hidden]), button");
  if (first) first.focus();
});
dialog.addEventListener("close", () => body.replaceChildren());
dialog.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-dialog]")) {
    event.preventDefault();
    dialog.close();
  }
});

// A form is sent once: a second press of its button would ask for the same again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  for (const button of event.target.querySelectorAll?.("form button, button") || []) {
    if (event.target.matches("form")) button.disabled = true;
  }
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.matches?.("form")) for (const button of event.target.querySelectorAll("button")) button.disabled = false;
});
