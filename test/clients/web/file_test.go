package web

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/parley-im/parley/test/harness"
)

// TestFiles uploads files and sends messages made of files, with objects on the
// server's disk and in an S3 store, to which pages of another origin put the parts
// themselves.
func TestFiles(t *testing.T) {
	t.Run("disk", func(t *testing.T) { files(t, shared) })
	t.Run("S3", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "share.yml"), []byte("secret: for-this-test-only\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.Configure(dir); err != nil {
			t.Fatal(err)
		}
		server, err := harness.Start(harness.Options{Binary: binary, DataDir: t.TempDir(), ConfigDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		files(t, server)
	})
}

// made is JavaScript that makes a File of random bytes and a picture, and compares
// a file with what a link leads to, as a page does: without a token.
const made = `(() => {
	window.makeFile = (name, size) => {
		const bytes = new Uint8Array(size);
		for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65536)));
		return new File([bytes], name, {type: "application/octet-stream"});
	};
	window.makePicture = async (width, height) => {
		const canvas = new OffscreenCanvas(width, height);
		canvas.getContext("2d").fillRect(0, 0, width / 2, height / 2);
		return new File([await canvas.convertToBlob({type: "image/png"})], "picture.png", {type: "image/png"});
	};
	window.leadsTo = async (link, file) => {
		const answer = await fetch(link);
		const [got, want] = [await answer.arrayBuffer(), await file.arrayBuffer()].map(b => new Uint8Array(b));
		if (!answer.ok) throw new Error(link + ": status " + answer.status);
		if (got.length !== want.length || got.some((b, i) => b !== want[i])) throw new Error(link + " leads to something else");
	};
})()`

func files(t *testing.T, server *harness.Server) {
	ids := users(t, server, "alice", "bob")
	a, b := open(t, server, ids[0]), open(t, server, ids[1])
	for _, p := range []*page{a, b} {
		p.login()
		eval[chromedp.Void](p, made)
	}
	for name, size := range map[string]int{"1 byte": 1, "5 MB": 5 << 20, "6 MB, in parts": 6 << 20} {
		t.Run(name, func(t *testing.T) {
			a.in(t).uploads(size)
		})
	}
	t.Run("messages", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		for name, m := range map[string]struct{ create, links string }{
			"picture": {
				create: `im.createImageMessageByFile({file: picture, sourcePath: "", bigPicture: about, snapshotPicture: about, sourcePicture: {...about}})`,
				links:  `[[m.pictureElem.sourcePicture.url, "picture"], [m.pictureElem.bigPicture.url, "picture"]]`,
			},
			"file": {
				create: `im.createFileMessageByFile({file: file, filePath: "", fileName: file.name, uuid: crypto.randomUUID(), sourceUrl: "", fileSize: file.size})`,
				links:  `[[m.fileElem.sourceUrl, "file"]]`,
			},
			"recording": {
				create: `im.createSoundMessageByFile({file: file, soundPath: "", uuid: crypto.randomUUID(), sourceUrl: "", dataSize: file.size, duration: 3})`,
				links:  `[[m.soundElem.sourceUrl, "file"]]`,
			},
			"film": {
				create: `im.createVideoMessageByFile({videoFile: file, snapshotFile: picture, videoPath: "", duration: 3, videoType: "mp4", snapshotPath: "",
					videoUUID: crypto.randomUUID(), videoUrl: "", videoSize: file.size, snapshotUUID: crypto.randomUUID(), snapshotSize: picture.size,
					snapshotUrl: "", snapshotWidth: 80, snapshotHeight: 40})`,
				links: `[[m.videoElem.videoUrl, "file"], [m.videoElem.snapshotUrl, "picture"]]`,
			},
		} {
			id := eval[string](a, `(async () => {
				const picture = await makePicture(800, 400), file = makeFile("plan.bin", 3000);
				const about = {uuid: crypto.randomUUID(), type: "png", size: picture.size, width: 800, height: 400, url: ""};
				const message = (await `+m.create+`).data;
				const sent = (await im.sendMessage({recvID: %s, groupID: "", message})).data;
				window.contents = {picture, file};
				return sent.clientMsgID ?? message.clientMsgID;
			})()`, b.userID)
			// Bob is shown the links; Alice's page knows what they must lead to.
			got := eval[[][2]string](b, `received(%s).then(m => `+m.links+`)`, id)
			if len(got) == 0 {
				t.Errorf("%s: no links", name)
			}
			for _, link := range got {
				eval[chromedp.Void](a, `leadsTo(%s, contents[%s])`, link[0], link[1])
			}
			if name == "picture" {
				size := eval[[]int](b, `received(%s).then(m => fetch(m.pictureElem.snapshotPicture.url)).then(r => r.blob()).then(createImageBitmap).then(p => [p.width, p.height])`, id)
				if len(size) != 2 || size[0] != 640 || size[1] != 320 {
					t.Errorf("the small picture is %v", size)
				}
			}
		}
	})
}

// uploads stores a file of some bytes and downloads it again.
func (p *page) uploads(size int) {
	p.t.Helper()
	eval[chromedp.Void](p, `(async () => {
		const file = makeFile("file 文件.bin", %v);
		const {data} = await im.uploadFile({name: "up/" + file.name, contentType: file.type, uuid: crypto.randomUUID(), file});
		await leadsTo(data.url, file);
	})()`, size)
}
