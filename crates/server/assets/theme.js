// Loaded before anything is drawn, so that a chosen theme does not flash the other one first.
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("aedile-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // a browser that stores nothing follows the system
  }
  document.documentElement.classList.add("js");
})();
