/* What scrolls by itself must be reached by the keyboard, and what is alike needs names of its own. */
document.addEventListener("DOMContentLoaded", () => {
  const mend = () => {
    document
      .querySelectorAll(".md-typeset__scrollwrap, .shown, .md-typeset pre > code")
      .forEach((part) => (part.tabIndex = 0));
    document
      .querySelectorAll(".md-code__nav")
      .forEach((part, number) => part.setAttribute("aria-label", `Code ${number + 1}`));
  };
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
  mend();
});
