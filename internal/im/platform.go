package im

// Platform is a kind of client device (websocket-and-messages 5.1).
type Platform int32

// Platforms.
const (
	PlatformIOS Platform = iota + 1
	PlatformAndroid
	PlatformWindows
	PlatformOSX
	PlatformWeb
	PlatformMiniWeb
	PlatformLinux
	PlatformAndroidPad
	PlatformIPad
	PlatformAdmin
	PlatformHarmonyOS
	PlatformBot
)

// PlatformClass groups platforms of which login policy 4 allows one each.
type PlatformClass string

// Platform classes. Those not named after a group of devices hold one platform.
const (
	ClassMobile PlatformClass = "Mobile"
	ClassPC     PlatformClass = "PC"
	ClassPad    PlatformClass = "Pad"
)

var platforms = [...]struct {
	name  string
	class PlatformClass
}{
	PlatformIOS:        {"IOS", ClassMobile},
	PlatformAndroid:    {"Android", ClassMobile},
	PlatformWindows:    {"Windows", ClassPC},
	PlatformOSX:        {"OSX", ClassPC},
	PlatformWeb:        {"Web", "Web"},
	PlatformMiniWeb:    {"MiniWeb", "MiniWeb"},
	PlatformLinux:      {"Linux", ClassPC},
	PlatformAndroidPad: {"APad", ClassPad},
	PlatformIPad:       {"IPad", ClassPad},
	PlatformAdmin:      {"Admin", "Admin"},
	PlatformHarmonyOS:  {"HarmonyOS", "HarmonyOS"},
	PlatformBot:        {"Bot", "Bot"},
}

// Valid reports whether p is a known platform.
func (p Platform) Valid() bool { return p >= 1 && int(p) < len(platforms) }

// String is the platform's name on the wire, "" for an unknown one.
func (p Platform) String() string {
	if !p.Valid() {
		return ""
	}
	return platforms[p].name
}

// Class is the platform's class.
func (p Platform) Class() PlatformClass {
	if !p.Valid() {
		return ""
	}
	return platforms[p].class
}
