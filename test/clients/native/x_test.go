package native
import (
 _ "github.com/openimsdk/openim-sdk-core/v3/open_im_sdk"
 _ "github.com/openimsdk/protocol/sdkws"
 _ "github.com/openimsdk/tools/log"
)
