// This view for somebody else, or for the phone in one's hand: its address, to copy or as a QR code.

import { byId, h } from "../dom.js";

const LOOPBACK = /^(localhost|127\.|\[::1\]$)/;

// qrUrl: where the server draws the code; query(start): the filters that the address carries.
export function makeShare(qrUrl, query) {
  const dialog = byId("share");

  function open() {
    const src = `${qrUrl}${query("?")}`;
    const code = h("img", { src, class: "share-code", alt: "QR code of the address below", width: 240, height: 240 });
    byId("share-code").replaceChildren(code);
    byId("share-link").textContent = `${location.origin}${location.pathname}${query("?")}`;
    byId("share-loopback").hidden = !LOOPBACK.test(location.hostname);
    dialog.showModal();
  }

  byId("share-button").addEventListener("click", open);
}
