// Applies the chosen theme before the first paint; loaded as a classic script in each page's head.
(() => {
  const KEY = "tidemill.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = null;
  try {
    choice = localStorage.getItem(KEY);
  } catch {
    // Storage may be forbidden; the system's preference then decides.
  }
  if (choice === "light" || choice === "dark") root.dataset.theme = choice;

  const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const announce = () => dispatchEvent(new CustomEvent("themechange", { detail: current() }));
  system.addEventListener("change", announce);

  globalThis.tidemillTheme = {
    current,
    toggle() {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // The choice then lasts as long as the page.
      }
      announce();
    },
  };
})();
