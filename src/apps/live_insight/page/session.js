// The data of one stream: windows, clips and alerts, without duplicates, in order of time.

const byStart = (a, b) => a.start - b.start;

export class Session {
  windows = [];
  clips = [];
  alerts = [];
  /** Start of the pinned window, or null while the page follows the newest window. */
  selected = null;

  /** Adds a window. A window that arrives again replaces the earlier version. */
  addWindow(window) {
    this.windows = [...this.windows.filter((known) => known.start !== window.start), window].sort(byStart);
    for (const alert of window.alerts) this.addAlert(alert, window.withdrawn > 0);
    for (const clip of window.clips) this.addClip(clip);
  }

  addClip(clip) {
    this.clips = [...this.clips.filter((known) => known.start !== clip.start), clip].sort(byStart);
  }

  /**
   * Adds an alert. An alert may arrive alone first, and later again inside its window. The first version stays, unless
   * `replace` says that something was withdrawn from it.
   */
  addAlert(alert, replace = false) {
    const isSame = (known) => known.kind === alert.kind && known.at === alert.at;
    if (!replace && this.alerts.some(isSame)) return;
    this.alerts = [...this.alerts.filter((known) => !isSame(known)), alert].sort((a, b) => a.at - b.at);
  }

  get newest() {
    return this.windows.at(-1) ?? null;
  }

  get inspected() {
    return this.windows.find((window) => window.start === this.selected) ?? this.newest;
  }

  get following() {
    return this.selected === null;
  }

  before(window) {
    return this.windows[this.windows.indexOf(window) - 1] ?? null;
  }

  /** The most chats in any bucket. It is the scale of the whole timeline, so that heights can be compared. */
  get busiest() {
    return Math.max(1, ...this.windows.map((window) => Math.max(...window.series.map((point) => point.chats))));
  }

  /** The alerts and clips that overlap a window, for the marks on the timeline. */
  marks(window) {
    return {
      alerts: this.alerts.filter((alert) => alert.at >= window.start && alert.at < window.end),
      clips: this.clips.filter((clip) => clip.start < window.end && clip.end > window.start),
    };
  }
}
