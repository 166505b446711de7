/* Pages that are opened from disk may start no Worker, and the search of the site is one: here it
   is a frame that nobody sees, with the same messages in both directions. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.body.appendChild(frame);
      const inner = (this.inner = frame.contentWindow);
      inner.postMessage = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      const own = new URL(url, location.href);
      const load = (path) =>
        new Promise((done, failed) => {
          const script = frame.contentDocument.createElement("script");
          script.src = new URL(path, own).href;
          script.onload = done;
          script.onerror = () => failed(new Error("cannot load " + script.src));
          frame.contentDocument.body.appendChild(script);
        });
      inner.importScripts = async (...paths) => {
        for (const path of paths) await load(path);
      };
      this.loaded = load(own);
    }

    postMessage(data) {
      this.loaded.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.inner.frameElement.remove();
    }
  };
}
