"""Pictures, files, sounds and videos in the web client.

SPDX-License-Identifier: MIT
"""

import base64

from support import pictures
from support.client import Session, private_chat, register
from support.process import poll

# A browser is the one program here that makes a video.
RECORD = """
const done = arguments[0];
const canvas = document.createElement('canvas');
canvas.width = canvas.height = 64;
const ink = canvas.getContext('2d');
let i = 0;
const timer = setInterval(() => {
  ink.fillStyle = `hsl(${i++ * 20} 80% 50%)`; ink.fillRect(0, 0, 64, 64);
}, 20);
const recorder = new MediaRecorder(canvas.captureStream(30),
                                   {mimeType: 'video/webm'});
const parts = [];
recorder.ondataavailable = (e) => parts.push(e.data);
recorder.onstop = () => {
  clearInterval(timer);
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(',')[1]);
  reader.readAsDataURL(new Blob(parts));
};
recorder.start();
setTimeout(() => recorder.stop(), 400);
"""


async def friends(person, stack, phone=False):
    gateways = stack.gateways
    account = register(gateways[0], name="Ann Media")
    ben = await Session.open(gateways[-1],
                             register(gateways[0], name="Ben Media"))
    other = await Session.open(gateways[-1], account)
    chat_id = await private_chat(ben, other)
    await other.close()
    ann = person(gateways[0], phone).enter(account)
    ann.open_chat("Ben Media")
    return ann, ben, chat_id


async def test_each_kind_of_file_is_sent_and_shown(person, stack, tmp_path):
    ann, ben, chat_id = await friends(person, stack)
    video = tmp_path / "clip.webm"
    video.write_bytes(base64.b64decode(ann.driver.execute_async_script(RECORD)))
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.7\n" + bytes(3000))
    ann.attach(pictures.png(tmp_path / "one.png", 30, 20, (200, 100, 0)),
               pictures.wav(tmp_path / "tone.wav"), video, paper)
    ann.until(lambda: len(ann.all("#tray li")) == 4, "not all in the tray")
    assert ann.all("#tray img")
    ann.write("and a word with them")
    await ben.until(lambda: len(ben.messages(chat_id)) == 5, "five messages")
    sent = {m["format"]: m for m in ben.messages(chat_id)}
    assert {f: sent[f]["filename"] for f in sent} == {
        "image": "one.png", "audio": "tone.wav", "video": "clip.webm",
        "file": "paper.pdf", "text": None}
    ann.until(lambda: ann.states() == ["delivered"] * 5, "not delivered")

    def shown(selector, ready):
        ann.until(lambda: ann.js(
            "const e = document.querySelector(arguments[0]);"
            f"return e && {ready}", selector), f"{selector} is not shown")
    shown("#messages .image img", "e.naturalWidth === 30")
    shown("#messages audio", "e.duration > 0.9")
    shown("#messages video", "e.videoWidth === 64")
    assert ann.js("return document.querySelector('#messages a.file').href") \
        == sent["file"]["content"]
    ann.click("#messages .image")
    ann.find(".viewer-image")
    ann.button("Close")


async def test_an_upload_shows_its_progress_and_can_be_stopped(person, stack,
                                                              tmp_path):
    ann, ben, chat_id = await friends(person, stack)
    large = pictures.noise(tmp_path / "large.png", 600, 400)
    ann.browser.slow(200_000)
    ann.attach(large)
    ann.button("Send")
    ann.until(lambda: 0 < (ann.js("return document.querySelector("
                                  "'#messages progress')?.value") or 0) < 1,
              "no progress")
    assert ann.js("return document.querySelector('#messages .image img').src"
                  ).startswith("blob:")
    ann.write("a word overtakes a slow file")
    await ben.wait("new_message")
    ann.button("Do not send large.png")
    ann.gone("#messages progress")
    ann.browser.online()
    ann.write("after it was stopped")
    await ben.until(lambda: len(ben.messages(chat_id)) == 2, "both texts")
    assert {m["format"] for m in ben.messages(chat_id)} == {"text"}


async def test_a_file_that_waits_survives_a_reload(person, stack, tmp_path):
    ann, ben, chat_id = await friends(person, stack)
    ann.line_errors_expected = True
    ann.browser.offline()
    ann.find("#banner")
    ann.attach(pictures.png(tmp_path / "kept.png", 30, 20, (0, 100, 200)))
    ann.button("Send")
    ann.reached("sending")
    # The page cannot be loaded without a line: it closes, and comes back later.
    ann.driver.get("about:blank")
    ann.browser.online()
    ann.driver.get(ann.origin)
    heard = await ben.wait("new_message")
    assert heard["message"]["filename"] == "kept.png"
    assert heard["message"]["format"] == "image"
    await ben.fence()
    assert len(ben.messages(chat_id)) == 1
    poll(lambda: ann.js("return Object.keys(localStorage).every("
                        "k => !k.startsWith('parley.outbox'))"),
         "an empty outbox")


async def test_what_cannot_be_sent_is_explained(person, stack, tmp_path):
    ann, _, _ = await friends(person, stack, phone=True)
    huge = tmp_path / "huge.bin"
    with open(huge, "wb") as file:
        file.truncate((20 << 20) + 1)
    ann.driver.find_element("id", "attach-file").send_keys(str(huge))
    ann.says("#toast", "“huge.bin” is over 20 MB")
    ann.gone("#tray")
