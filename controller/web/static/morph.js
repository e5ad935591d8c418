// hx-swap="morph": changes what differs and leaves the rest alone, so that focus, scroll and what was opened stay.

function stays(name, element) {
  return name === "open" && element instanceof HTMLDetailsElement; // opened by the viewer, which the server cannot know
}

window.htmx.defineExtension("morph", {
  isInlineSwap: (style) => style === "morph",
  handleSwap(style, target, fragment) {
    if (style !== "morph") return false;
    return window.Idiomorph.morph(target, fragment.children, {
      morphStyle: "outerHTML",
      ignoreActiveValue: true,
      callbacks: { beforeAttributeUpdated: (name, element) => !stays(name, element) },
    });
  },
});
