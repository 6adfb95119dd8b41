package store

import (
	"reflect"
	"testing"

	"github.com/parley-im/parley/internal/im"
)

// fillFields sets every field of a struct, so that a field the encoding does not
// know is missed.
func fillFields(t *testing.T, v reflect.Value) {
	t.Helper()
	for i, f := range v.Fields() {
		if i.Name == "RevokedQuote" {
			continue // filled on pulls, not stored
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString("text of " + i.Name)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int8, reflect.Int32, reflect.Int64:
			f.SetInt(int64(len(i.Name)))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			fillFields(t, f.Elem())
		case reflect.Slice:
			if f.Type().Elem().Kind() == reflect.Uint8 {
				f.SetBytes([]byte("bytes"))
			} else {
				f.Set(reflect.ValueOf([]string{"one", "", "two"}))
			}
		case reflect.Map:
			f.Set(reflect.ValueOf(im.Options{"on": true, "off": false}))
		default:
			t.Fatalf("%s is a %s: teach the test", i.Name, f.Kind())
		}
	}
}

// What is pulled is what was sent: a stored message keeps every field.
func TestStoredMessageKeepsEveryField(t *testing.T) {
	want := &im.Message{}
	fillFields(t, reflect.ValueOf(want).Elem())
	want.IsRead = false // is the reader's
	// What has columns is not in the encoding.
	got := &im.Message{ConversationID: want.ConversationID, Seq: want.Seq, ClientMsgID: want.ClientMsgID, SendTime: want.SendTime}
	if err := decodeMessage(encodeMessage(nil, want), got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
		t.Errorf("push %+v, want %+v", got.Push, want.Push)
	}
}
