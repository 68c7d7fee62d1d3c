// Everything known about one stream: windows, clips and alerts, each once, in order of time.

const byStart = (a, b) => a.start - b.start;

export class Session {
  windows = [];
  clips = [];
  alerts = [];
  /** Start of the window that is inspected, or null while the newest is followed. */
  selected = null;

  /** Takes a window; one that comes again replaces itself. */
  addWindow(window) {
    this.windows = [...this.windows.filter((known) => known.start !== window.start), window].sort(byStart);
    for (const alert of window.alerts) this.addAlert(alert);
    for (const clip of window.clips) this.addClip(clip);
  }

  addClip(clip) {
    this.clips = [...this.clips.filter((known) => known.start !== clip.start), clip].sort(byStart);
  }

  /** Takes an alert; it may come by itself first and inside its window later. */
  addAlert(alert) {
    if (this.alerts.some((known) => known.kind === alert.kind && known.at === alert.at)) return;
    this.alerts = [...this.alerts, alert].sort((a, b) => a.at - b.at);
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

  /** Most chats in any bucket: one scale for the whole timeline, so that heights compare. */
  get busiest() {
    return Math.max(1, ...this.windows.map((window) => Math.max(...window.series.map((point) => point.chats))));
  }

  /** What overlaps a window: its alerts and clips, for the marks on the timeline. */
  marks(window) {
    return {
      alerts: this.alerts.filter((alert) => alert.at >= window.start && alert.at < window.end),
      clips: this.clips.filter((clip) => clip.start < window.end && clip.end > window.start),
    };
  }
}
