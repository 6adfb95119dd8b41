package app

// row is a route or a request of the long connection, with who may make it.
//
// In bodies @alice is the user it is about, @bob somebody she chats with, @g a
// group and @chat the chat of the two; every cell has its own. The group's people
// are @owner, @assistant (its administrator), @member and, as victim of what
// others do, @bob.
type row struct {
	name  string
	may   role // who; the others are refused
	body  string
	setUp func(*cell)

	// reached is the code with which an allowed call ends, if the table cannot
	// bring about its success.
	reached int
	// outsider is the code for who is not in the group, 1002 unless it is
	// another; ignored is success without effect.
	outsider int
	// note is for readers.
	note string
}

// Who a call comes from, in relation to what it is about.
const (
	nobody    role = 1 << iota // without a token
	stranger                   // another user; for groups, one who is no member
	concerned                  // the user that the call is about
	member                     // of the group that the call is about
	assistant                  // its administrator
	owner                      // its owner
	operator                   // an administrator of the server
)

type role uint

// Those who may make most calls.
const (
	everybody = nobody | stranger | concerned | operator
	users     = stranger | concerned | operator
	self      = concerned | operator
	operators = operator

	anyUser  = stranger | member | assistant | owner | operator
	members  = member | assistant | owner | operator
	managers = assistant | owner | operator
	owners   = owner | operator
)

const page = `"pagination":{"pageNumber":1,"showNumber":10}`

var personal = []row{
	{name: "/auth/get_admin_token", may: everybody, body: `{"secret":"@secret","userID":"imAdmin"}`, note: "who knows the secret"},
	{name: "/auth/get_user_token", may: operators, body: `{"userID":"@alice","platformID":1}`},
	{name: "/auth/parse_token", may: everybody, body: `{"token":"@token"}`, note: "whoever has the token"},
	{name: "/auth/force_logout", may: operators, body: `{"userID":"@alice","platformID":3}`},

	{name: "/user/user_register", may: operators, body: `{"users":[{"userID":"@new","nickname":"n"}]}`},
	{name: "/user/update_user_info", may: self, body: `{"userInfo":{"userID":"@alice","nickname":"n"}}`},
	{name: "/user/update_user_info_ex", may: self, body: `{"userInfo":{"userID":"@alice","nickname":"n"}}`},
	{name: "/user/set_global_msg_recv_opt", may: self, body: `{"userID":"@alice","globalRecvMsgOpt":2}`},
	{name: "/user/get_users_info", may: users, body: `{"userIDs":["@alice"]}`, note: "profiles are public among users"},
	{name: "/user/account_check", may: operators, body: `{"checkUserIDs":["@alice"]}`},
	{name: "/user/get_all_users_uid", may: operators, body: `{` + page + `}`},
	{name: "/user/get_users", may: operators, body: `{` + page + `}`},
	{name: "/user/get_users_online_status", may: operators, body: `{"userIDs":["@alice"]}`},
	{name: "/user/get_users_online_token_detail", may: operators, body: `{"userIDs":["@alice"]}`},
	{name: "/user/get_users_status", may: users, body: `{"userID":"@alice","userIDs":["@alice"]}`, note: "who is online is public among users"},
	{name: "/user/subscribe_users_status", may: users, body: `{"userID":"@alice","userIDs":["@bob"],"genre":1}`, note: "without effect, as in OpenIM: the long connection subscribes"},
	{name: "/user/get_subscribe_users_status", may: users, body: `{"userID":"@alice"}`, note: "always empty, as in OpenIM"},
	{name: "/user/get_user_client_config", may: self, body: `{"userID":"@alice"}`, note: "everybody's settings are for every user"},
	{name: "/user/set_user_client_config", may: operators, body: `{"userID":"@alice","configs":{"k":"v"}}`},
	{name: "/user/del_user_client_config", may: operators, body: `{"userID":"@alice","keys":["k"]}`},
	{name: "/user/page_user_client_config", may: operators, body: `{"userID":"@alice",` + page + `}`},
	{name: "/user/add_notification_account", may: operators, body: `{"userID":"@new","nickName":"n","appMangerLevel":3}`},
	{name: "/user/update_notification_account", may: operators, body: `{"userID":"@alice","nickName":"n"}`},
	{name: "/user/search_notification_account", may: operators, body: `{` + page + `}`},
	{name: "/user/process_user_command_add", may: self, body: `{"userID":"@alice","type":1,"uuid":"u2"}`},
	{name: "/user/process_user_command_update", may: self, body: `{"userID":"@alice","type":1,"uuid":"u","value":"v"}`, setUp: (*cell).command},
	{name: "/user/process_user_command_delete", may: self, body: `{"userID":"@alice","type":1,"uuid":"u"}`, setUp: (*cell).command},
	{name: "/user/process_user_command_get", may: self, body: `{"userID":"@alice","type":1}`},
	{name: "/user/process_user_command_get_all", may: self, body: `{"userID":"@alice"}`},

	{name: "/friend/add_friend", may: self, body: `{"fromUserID":"@alice","toUserID":"@bob"}`},
	{name: "/friend/add_friend_response", may: self, body: `{"fromUserID":"@bob","toUserID":"@alice","handleResult":1}`, setUp: (*cell).friendRequest},
	{name: "/friend/delete_friend", may: self, body: `{"ownerUserID":"@alice","friendUserID":"@bob"}`, setUp: (*cell).friends},
	{name: "/friend/set_friend_remark", may: self, body: `{"ownerUserID":"@alice","friendUserID":"@bob","remark":"r"}`, setUp: (*cell).friends},
	{name: "/friend/update_friends", may: self, body: `{"ownerUserID":"@alice","friendUserIDs":["@bob"],"isPinned":true}`, setUp: (*cell).friends},
	{name: "/friend/import_friend", may: operators, body: `{"ownerUserID":"@alice","friendUserIDs":["@bob"]}`},
	{name: "/friend/get_friend_list", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/friend/get_designated_friends", may: self, body: `{"ownerUserID":"@alice","friendUserIDs":["@bob"]}`, setUp: (*cell).friends},
	{name: "/friend/get_specified_friends_info", may: self, body: `{"ownerUserID":"@alice","userIDList":["@bob"]}`},
	{name: "/friend/get_friend_id", may: self, body: `{"userID":"@alice"}`},
	{name: "/friend/is_friend", may: self, body: `{"userID1":"@alice","userID2":"@bob"}`, note: "either of the two"},
	{name: "/friend/get_incremental_friends", may: self, body: `{"userID":"@alice"}`},
	{name: "/friend/get_full_friend_user_ids", may: self, body: `{"userID":"@alice"}`},
	{name: "/friend/get_friend_apply_list", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/friend/get_self_friend_apply_list", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/friend/get_designated_friend_apply", may: self, body: `{"fromUserID":"@alice","toUserID":"@bob"}`, note: "either of the two"},
	{name: "/friend/get_self_unhandled_apply_count", may: self, body: `{"userID":"@alice"}`},
	{name: "/friend/add_black", may: self, body: `{"ownerUserID":"@alice","blackUserID":"@bob"}`},
	{name: "/friend/remove_black", may: self, body: `{"ownerUserID":"@alice","blackUserID":"@bob"}`},
	{name: "/friend/get_incremental_blacks", may: self, body: `{"userID":"@alice"}`},
	{name: "/friend/get_black_list", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/friend/get_specified_blacks", may: self, body: `{"ownerUserID":"@alice","userIDList":["@bob"]}`},

	{name: "/group/create_group", may: self, body: `{"ownerUserID":"@alice","groupInfo":{"groupType":2}}`},
	{name: "/group/get_joined_group_list", may: self, body: `{"fromUserID":"@alice",` + page + `}`},
	{name: "/group/get_incremental_join_groups", may: self, body: `{"userID":"@alice"}`},
	{name: "/group/get_full_join_group_ids", may: self, body: `{"userID":"@alice"}`},
	{name: "/group/get_user_req_group_applicationList", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/group/get_group_application_unhandled_count", may: self, body: `{"userID":"@alice"}`},
	{name: "/group/get_groups", may: operators, body: `{` + page + `}`},

	{name: "/msg/send_msg", may: operators, body: `{"sendID":"@alice","recvID":"@bob","sessionType":1,"contentType":101,"content":{"content":"x"}}`},
	{name: "/msg/batch_send_msg", may: operators, body: `{"sendID":"@alice","recvIDs":["@bob"],"sessionType":1,"contentType":101,"content":{"content":"x"}}`},
	{name: "/msg/send_simple_msg?key=@key", may: self, body: `{"content":"x"}`, note: "answers in the name of who got the message that the key is of"},
	{name: "/msg/send_business_notification", may: operators, body: `{"key":"k","data":"d","sendUserID":"@alice","recvUserID":"@bob"}`},
	{name: "/msg/check_msg_is_send_success", may: users, body: `{}`, note: "by operationID, which only the sender's program knows"},
	{name: "/msg/newest_seq", may: self, body: `{"userID":"@alice"}`},
	{name: "/msg/pull_msg_by_seq", may: self, body: `{"userID":"@alice","seqRanges":[{"conversationID":"@chat","begin":1,"end":1,"num":1}]}`},
	{name: "/msg/get_conversations_has_read_and_max_seq", may: self, body: `{"userID":"@alice"}`},
	{name: "/msg/set_conversation_has_read_seq", may: self, body: `{"userID":"@alice","conversationID":"@chat","hasReadSeq":1}`, setUp: (*cell).message},
	{name: "/msg/mark_conversation_as_read", may: self, body: `{"userID":"@alice","conversationID":"@chat","hasReadSeq":1}`, setUp: (*cell).message},
	{name: "/msg/mark_msgs_as_read", may: self, body: `{"userID":"@alice","conversationID":"@chat","seqs":[1]}`, setUp: (*cell).message},
	{name: "/msg/revoke_msg", may: self, body: `{"userID":"@alice","conversationID":"@chat","seq":1}`, setUp: (*cell).message, note: "the sender; in groups, see below"},
	{name: "/msg/delete_msgs", may: self, body: `{"userID":"@alice","conversationID":"@chat","seqs":[1]}`, setUp: (*cell).message},
	{name: "/msg/delete_msg_phsical_by_seq", may: operators, body: `{"conversationID":"@chat","seqs":[1]}`, setUp: (*cell).message},
	{name: "/msg/delete_msg_physical", may: operators, body: `{"conversationIDs":["@chat"],"timestamp":1}`, setUp: (*cell).message},
	{name: "/msg/search_msg", may: operators, body: `{` + page + `}`},
	{name: "/msg/clear_conversation_msg", may: self, body: `{"userID":"@alice","conversationIDs":["@chat"]}`, setUp: (*cell).message},
	{name: "/msg/user_clear_all_msg", may: self, body: `{"userID":"@alice"}`, setUp: (*cell).message},
	{name: "/msg/get_server_time", may: users, body: `{}`},

	{name: "/conversation/set_conversations", may: self, body: `{"userIDs":["@alice"],"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob","isPinned":true}}`},
	{name: "/conversation/get_conversation", may: self, body: `{"ownerUserID":"@alice","conversationID":"@chat"}`, setUp: (*cell).message},
	{name: "/conversation/get_conversations", may: self, body: `{"ownerUserID":"@alice","conversationIDs":["@chat"]}`},
	{name: "/conversation/get_all_conversations", may: self, body: `{"ownerUserID":"@alice"}`},
	{name: "/conversation/get_owner_conversation", may: self, body: `{"userID":"@alice",` + page + `}`},
	{name: "/conversation/get_sorted_conversation_list", may: self, body: `{"userID":"@alice",` + page + `}`, setUp: (*cell).message},
	{name: "/conversation/get_full_conversation_ids", may: self, body: `{"userID":"@alice"}`},
	{name: "/conversation/get_incremental_conversations", may: self, body: `{"userID":"@alice"}`},
	{name: "/conversation/get_not_notify_conversation_ids", may: self, body: `{"userID":"@alice"}`},
	{name: "/conversation/get_pinned_conversation_ids", may: self, body: `{"userID":"@alice"}`},
	{name: "/conversation/delete_conversations", may: self, body: `{"ownerUserID":"@alice","conversationIDs":["@chat"]}`, setUp: (*cell).message},
	{name: "/conversation/update_conversations_by_user", may: self, body: `{"userID":"@alice","ex":"e"}`},

	{name: "/jssdk/get_active_conversations", may: users, body: `{"ownerUserID":"@alice"}`, note: "always the caller's own"},
	{name: "/jssdk/get_conversations", may: users, body: `{"ownerUserID":"@alice","conversationIDs":["@chat"]}`, note: "always the caller's own"},

	{name: "/statistics/user/register", may: operators, body: `{"start":1,"end":2}`},
	{name: "/statistics/user/active", may: operators, body: `{"start":1,"end":2,` + page + `}`},
	{name: "/statistics/group/create", may: operators, body: `{"start":1,"end":2}`},
	{name: "/statistics/group/active", may: operators, body: `{"start":1,"end":2,` + page + `}`},

	{name: "/object/part_limit", may: users, body: `{}`},
	{name: "/object/part_size", may: users, body: `{"size":10}`},
	{name: "/object/initiate_multipart_upload", may: self, body: `{"hash":"d41d8cd98f00b204e9800998ecf8427e","size":10,"partSize":10,"maxParts":1,"name":"@alice/f","urlPrefix":"http://x"}`, note: "names begin with the caller's id"},
	{name: "/object/auth_sign", may: users, body: `{"uploadID":"none","partNumbers":[1]}`, reached: 1004, note: "only the caller's uploads"},
	{name: "/object/complete_multipart_upload", may: self, body: `{"uploadID":"none","name":"@alice/f","urlPrefix":"http://x"}`, reached: 1004, note: "only the caller's uploads; names begin with his id"},
	{name: "/object/access_url", may: users, body: `{"name":"none"}`, reached: 1004, note: "who knows the name"},
	{name: "/object/initiate_form_data", may: self, body: `{"name":"@alice/f","size":10,"contentType":"text/plain","group":"g","millisecond":1000}`, note: "names begin with the caller's id"},
	{name: "/object/complete_form_data", may: users, body: `{"id":"bm9uZQ==","urlPrefix":"http://x"}`, reached: 1004, note: "only the caller's uploads"},

	{name: "/third/fcm_update_token", may: self, body: `{"account":"@alice","platformID":2,"fcmToken":"t","expireTime":100}`},
	{name: "/third/set_app_badge", may: self, body: `{"userID":"@alice","appUnreadCount":1}`},
	{name: "/third/logs/upload", may: users, body: `{"platform":2,"fileURLs":[{"filename":"f","URL":"u"}]}`, note: "as the caller's"},
	{name: "/third/logs/delete", may: operators, body: `{"logIDs":["none"]}`, reached: 1004},
	{name: "/third/logs/search", may: operators, body: `{"startTime":1,"endTime":2,` + page + `}`},

	{name: "/config/get_config_list", may: operators, body: `{}`},
	{name: "/config/get_config", may: operators, body: `{"configName":"share.yml"}`},
	{name: "/config/set_config", may: operators, body: `{"configName":"share.yml","data":"x"}`, reached: 500, note: "webhooks.yml only"},
	{name: "/config/reset_config", may: operators, body: `{}`, reached: 500, note: "not supported, and says so"},
	{name: "/config/set_enable_config_manager", may: operators, body: `{"enable":true}`, reached: 500, note: "not supported, and says so"},
	{name: "/config/get_enable_config_manager", may: operators, body: `{}`},
	{name: "/config/reload", may: operators, body: `{}`},
	{name: "/config/status", may: operators, body: `{}`},
	{name: "/webhook/why", may: operators, body: `{"id":"none"}`},
	{name: "/webhook/events", may: operators, body: `{"endpoint":"none"}`, reached: 1004, note: "or whoever has the endpoint's secret"},
	{name: "/webhook/deliveries", may: operators, body: `{}`},
	{name: "/webhook/callbacks", may: operators, body: `{}`},
	{name: "/webhook/test", may: operators, body: `{"callback":"none"}`, reached: 1001},
	{name: "/webhook/trigger", may: operators, body: `{"callback":"none"}`, reached: 1001},
	{name: "/webhook/listen/open", may: operators, body: `{"events":["none"]}`, reached: 1001},
	{name: "/webhook/listen/next", may: operators, body: `{"session":"none"}`, reached: 1004},
	{name: "/webhook/listen/answer", may: operators, body: `{"session":"none"}`, reached: 1004},
	{name: "/webhook/listen/close", may: operators, body: `{"session":"none"}`, reached: 1004},
	{name: "/webhook/endpoints", may: operators, body: `{}`},
	{name: "/webhook/pause", may: operators, body: `{"endpoint":"none"}`, reached: 1001},
	{name: "/webhook/resume", may: operators, body: `{"endpoint":"none"}`, reached: 1001},
	{name: "/restart", may: operators, body: `{}`},
}

var ofGroups = []row{
	{name: "/group/get_groups_info", may: anyUser, body: `{"groupIDs":["@g"]}`, note: "who knows the id: to apply"},
	{name: "/group/get_group_abstract_info", may: members, body: `{"groupIDs":["@g"]}`},
	{name: "/group/get_group_member_list", may: members, body: `{"groupID":"@g",` + page + `}`},
	{name: "/group/get_group_members_info", may: members, body: `{"groupID":"@g","userIDs":["@bob"]}`},
	{name: "/group/get_group_member_user_id", may: members, body: `{"groupID":"@g"}`},
	{name: "/group/get_incremental_group_members", may: members, body: `{"groupID":"@g"}`},
	{name: "/group/get_incremental_group_members_batch", may: anyUser, body: `{"userID":"@member","reqList":[{"groupID":"@g"}]}`, note: "groups of which the caller is no member are left out"},
	{name: "/group/get_full_group_member_user_ids", may: members, body: `{"groupID":"@g"}`},
	{name: "/group/get_recv_group_applicationList", may: managers, outsider: 1004, body: `{"fromUserID":"@caller","groupIDs":["@g"],` + page + `}`, note: "one's own list"},
	{name: "/group/get_group_users_req_application_list", may: managers, outsider: 1004, body: `{"groupID":"@g","userIDs":["@stranger"]}`, setUp: (*cell).groupRequest},
	{name: "/group/get_specified_user_group_request_info", may: managers | stranger, body: `{"groupID":"@g","userID":"@stranger"}`, setUp: (*cell).groupRequest, note: "and the applicant"},
	{name: "/group/join_group", may: stranger | operator, body: `{"groupID":"@g","inviterUserID":"@stranger","reqMessage":"m","joinSource":3}`, note: "the applicant"},
	{name: "/group/invite_user_to_group", may: members, body: `{"groupID":"@g","invitedUserIDs":["@alice"]}`},
	{name: "/group/group_application_response", may: managers, outsider: 1004, body: `{"groupID":"@g","fromUserID":"@stranger","handleResult":1}`, setUp: (*cell).groupRequest},
	{name: "/group/quit_group", may: member | operator, body: `{"groupID":"@g","userID":"@member"}`, note: "the member himself, but not the owner"},
	{name: "/group/kick_group", may: managers, body: `{"groupID":"@g","kickedUserIDs":["@bob"]}`, note: "whose role is above the other's"},
	{name: "/group/dismiss_group", may: owners, body: `{"groupID":"@g"}`},
	{name: "/group/transfer_group", may: owners, body: `{"groupID":"@g","oldOwnerUserID":"@owner","newOwnerUserID":"@bob"}`},
	{name: "/group/mute_group_member", may: managers, outsider: 1004, body: `{"groupID":"@g","userID":"@bob","mutedSeconds":60}`, note: "whose role is above the other's"},
	{name: "/group/cancel_mute_group_member", may: managers, outsider: 1004, body: `{"groupID":"@g","userID":"@bob"}`, note: "whose role is above the other's"},
	{name: "/group/set_group_member_info", may: managers, body: `{"members":[{"groupID":"@g","userID":"@bob","nickname":"n"}]}`, note: "whose role is above the other's, and the member himself; roles are the owner's to give"},
	{name: "/group/mute_group", may: managers, outsider: 1004, body: `{"groupID":"@g"}`},
	{name: "/group/cancel_mute_group", may: managers, outsider: 1004, body: `{"groupID":"@g"}`},
	{name: "/group/set_group_info", may: managers, outsider: 1004, body: `{"groupInfoForSet":{"groupID":"@g","groupName":"n"}}`},
	{name: "/group/set_group_info_ex", may: managers, outsider: 1004, body: `{"groupID":"@g","groupName":"n"}`},
	{name: "/msg/revoke_msg", may: managers, body: `{"userID":"@caller","conversationID":"sg_@g","seq":1}`, setUp: (*cell).groupMessage, note: "another's message; one's own always"},
	{name: "/msg/delete_msgs", may: managers, outsider: 1004, body: `{"userID":"@caller","conversationID":"sg_@g","seqs":[1],"deleteSyncOpt":{"IsSyncOther":true}}`, setUp: (*cell).groupMessage, note: "for everybody"},
	{name: "/msg/clear_conversation_msg", may: owners, outsider: ignored, body: `{"userID":"@caller","conversationIDs":["sg_@g"],"deleteSyncOpt":{"IsSyncOther":true}}`, setUp: (*cell).groupMessage, note: "for everybody"},
}
