package app

// faults are the ways in which a call of the tables of authorisation can be
// wrong. All of them are tried by an administrator, who is refused nothing else.
type faults struct {
	// needs are the fields without which, or with which empty, the call is
	// refused: with 1001, or the code behind a colon; those with a plus may be
	// empty. Every other field of the body may be left out, and may be empty.
	needs string
	// most are the longest lists that are taken.
	most map[string]int
	// wrong are bodies that are refused, as changes of the right one.
	wrong []wrong
}

type wrong struct {
	change string // JSON
	code   int
	setUp  func(*cell)
	by     role // instead of an administrator
}

var faultsOf = map[string]faults{
	"/auth/get_admin_token": {needs: "secret:1002 userID", wrong: []wrong{
		{change: `{"secret":"guess"}`, code: 1002},
		{change: `{"userID":"@alice"}`, code: 1001},
		{change: `{"userID":"ghost"}`, code: 1001},
	}},
	"/auth/get_user_token": {needs: "userID platformID", wrong: []wrong{
		{change: `{"userID":"ghost"}`, code: 1004},
		{change: `{"userID":"imAdmin"}`, code: 1002},
		{change: `{"userID":"@account"}`, code: 1001, setUp: (*cell).account},
		{change: `{"platformID":10}`, code: 1002},
		{change: `{"platformID":99}`, code: 1001},
		{change: `{"platformID":-1}`, code: 1001},
	}},
	"/auth/parse_token": {needs: "token", wrong: []wrong{
		{change: `{"token":"x"}`, code: 1503},
		{change: `{"token":"a.b.c"}`, code: 1503},
	}},
	"/auth/force_logout": {needs: "userID platformID", wrong: []wrong{
		{change: `{"platformID":99}`, code: 1001},
		{change: `{"userID":"ghost"}`, code: 0}, // nobody is logged in
	}},

	"/user/user_register": {needs: "users", most: map[string]int{"users": 1000}, wrong: []wrong{
		{change: `{"users":[null]}`, code: 1001},
		{change: `{"users":[{"userID":"","nickname":"n"}]}`, code: 1001},
		{change: `{"users":[{"userID":"@new"}]}`, code: 1001},
		{change: `{"users":[{"userID":"a:b","nickname":"n"}]}`, code: 1001},
		{change: `{"users":[{"userID":"a b","nickname":"n"}]}`, code: 1001},
		{change: `{"users":[{"userID":"@long","nickname":"n"}]}`, code: 1001},
		{change: `{"users":[{"userID":"@new","nickname":"n"},{"userID":"@new","nickname":"n"}]}`, code: 1001},
		{change: `{"users":[{"userID":"@new","nickname":"n","globalRecvMsgOpt":3}]}`, code: 1001},
		{change: `{"users":[{"userID":"@new","nickname":"n"},{"userID":"@alice","nickname":"n"}]}`, code: 1102},
	}},
	"/user/update_user_info": {needs: "userInfo", wrong: []wrong{
		{change: `{"userInfo":{"nickname":"n"}}`, code: 1001},
		{change: `{"userInfo":{"userID":"ghost","nickname":"n"}}`, code: 1004},
		{change: `{"userInfo":{"userID":"@alice","globalRecvMsgOpt":3}}`, code: 1001},
		{change: `{"userInfo":{"userID":"@alice","ex":"@text"}}`, code: 1001},
	}},
	"/user/update_user_info_ex": {needs: "userInfo", wrong: []wrong{
		{change: `{"userInfo":{"nickname":"n"}}`, code: 1001},
		{change: `{"userInfo":{"userID":"ghost"}}`, code: 1004},
		{change: `{"userInfo":{"userID":"@alice","globalRecvMsgOpt":3}}`, code: 1001},
		{change: `{"userInfo":{"userID":"@alice","faceURL":"@text"}}`, code: 1001},
	}},
	"/user/set_global_msg_recv_opt": {needs: "userID", wrong: []wrong{
		{change: `{"userID":"ghost"}`, code: 1004},
		{change: `{"globalRecvMsgOpt":3}`, code: 1001},
		{change: `{"globalRecvMsgOpt":-1}`, code: 1001},
	}},
	"/user/get_users_info":                {needs: "userIDs", most: map[string]int{"userIDs": 1000}},
	"/user/account_check":                 {needs: "checkUserIDs", most: map[string]int{"checkUserIDs": 1000}, wrong: []wrong{{change: `{"checkUserIDs":["@alice","@alice"]}`, code: 1001}}},
	"/user/get_all_users_uid":             {needs: "pagination", wrong: badPages},
	"/user/get_users":                     {needs: "pagination", wrong: badPages},
	"/user/get_users_online_status":       {most: map[string]int{"userIDs": 1000}},
	"/user/get_users_online_token_detail": {most: map[string]int{"userIDs": 1000}},
	"/user/get_users_status":              {needs: "userIDs", most: map[string]int{"userIDs": 1000}},
	"/user/subscribe_users_status": {needs: "userID userIDs genre", wrong: []wrong{
		{change: `{"genre":3}`, code: 1001},
	}},
	"/user/get_subscribe_users_status": {needs: "userID"},
	"/user/get_user_client_config":     {wrong: []wrong{{change: `{"userID":"ghost"}`, code: 1004}}},
	"/user/set_user_client_config": {wrong: []wrong{
		{change: `{"userID":"ghost"}`, code: 1004},
		{change: `{"configs":{"k":"@text"}}`, code: 1001},
	}},
	"/user/del_user_client_config":  {most: map[string]int{"keys": 1000}},
	"/user/page_user_client_config": {wrong: badPages},
	"/user/add_notification_account": {needs: "nickName appMangerLevel", wrong: []wrong{
		{change: `{"appMangerLevel":2}`, code: 1001},
		{change: `{"userID":"@alice"}`, code: 1001},
		{change: `{"userID":"a:b"}`, code: 1001},
		{change: `{"nickName":"@text"}`, code: 1001},
	}},
	"/user/update_notification_account": {needs: "userID nickName", wrong: []wrong{
		{change: `{"userID":"ghost"}`, code: 1001},
		{change: `{"nickName":"@text"}`, code: 1001},
	}},
	"/user/search_notification_account": {needs: "pagination", wrong: badPages},
	"/user/process_user_command_add": {needs: "userID type uuid", wrong: []wrong{
		{change: `{"uuid":"u"}`, code: 1003, setUp: (*cell).command},
		{change: `{"value":"@text"}`, code: 1001},
	}},
	"/user/process_user_command_update": {needs: "userID type uuid", wrong: []wrong{
		{change: `{"uuid":"none"}`, code: 1004},
		{change: `{"ex":"@text"}`, code: 1001},
	}},
	"/user/process_user_command_delete":  {needs: "userID type uuid", wrong: []wrong{{change: `{"uuid":"none"}`, code: 1004}}},
	"/user/process_user_command_get":     {needs: "userID type"},
	"/user/process_user_command_get_all": {needs: "userID"},

	"/friend/add_friend": {needs: "fromUserID toUserID", wrong: []wrong{
		{change: `{"toUserID":"@alice"}`, code: 1301},
		{change: `{"toUserID":"ghost"}`, code: 1004},
		{change: `{"fromUserID":"ghost"}`, code: 1004},
		{change: `{}`, code: 1304, setUp: (*cell).friends},
		{change: `{"reqMsg":"@text"}`, code: 1001},
	}},
	"/friend/add_friend_response": {needs: "fromUserID toUserID handleResult", wrong: []wrong{
		{change: `{"handleResult":2}`, code: 1001},
		{change: `{"fromUserID":"@stranger"}`, code: 1004},
		{change: `{}`, code: 1001, setUp: (*cell).friendAnswer},
		{change: `{"handleResult":-1}`, code: 1305, setUp: (*cell).friendAnswer},
	}},
	"/friend/delete_friend": {needs: "ownerUserID friendUserID", wrong: []wrong{
		{change: `{"friendUserID":"ghost"}`, code: 0}, // as in OpenIM
	}},
	"/friend/set_friend_remark": {needs: "ownerUserID friendUserID", wrong: []wrong{
		{change: `{"friendUserID":"@stranger"}`, code: 1004},
		{change: `{"remark":"@text"}`, code: 1001},
	}},
	"/friend/update_friends": {needs: "ownerUserID friendUserIDs", most: map[string]int{"friendUserIDs": 1000}, wrong: []wrong{
		{change: `{"friendUserIDs":["@bob","@bob"]}`, code: 1001},
		{change: `{"ex":"@text"}`, code: 1001},
	}},
	"/friend/import_friend": {needs: "ownerUserID friendUserIDs", most: map[string]int{"friendUserIDs": 1000}, wrong: []wrong{
		{change: `{"friendUserIDs":["ghost"]}`, code: 1004},
		{change: `{"ownerUserID":"ghost"}`, code: 1004},
		{change: `{"friendUserIDs":["@bob","@bob"]}`, code: 1001},
		{change: `{"friendUserIDs":["@alice"]}`, code: 1301},
	}},
	"/friend/get_friend_list": {needs: "userID pagination", wrong: badPages},
	"/friend/get_designated_friends": {needs: "ownerUserID friendUserIDs", most: map[string]int{"friendUserIDs": 1000}, wrong: []wrong{
		{change: `{"friendUserIDs":["@bob","@bob"]}`, code: 1001},
	}},
	"/friend/get_specified_friends_info": {needs: "ownerUserID userIDList", most: map[string]int{"userIDList": 1000}, wrong: []wrong{
		{change: `{"userIDList":["@bob","@bob"]}`, code: 1001},
	}},
	"/friend/get_friend_id":                  {needs: "userID"},
	"/friend/is_friend":                      {needs: "userID1 userID2"},
	"/friend/get_incremental_friends":        {},
	"/friend/get_full_friend_user_ids":       {needs: "userID"},
	"/friend/get_friend_apply_list":          {needs: "userID pagination", wrong: append([]wrong{{change: `{"handleResults":[5]}`, code: 1001}}, badPages...)},
	"/friend/get_self_friend_apply_list":     {needs: "userID pagination", wrong: append([]wrong{{change: `{"handleResults":[5]}`, code: 1001}}, badPages...)},
	"/friend/get_designated_friend_apply":    {needs: "fromUserID toUserID"},
	"/friend/get_self_unhandled_apply_count": {},
	"/friend/add_black": {needs: "ownerUserID blackUserID", wrong: []wrong{
		{change: `{"blackUserID":"ghost"}`, code: 1004},
		{change: `{"blackUserID":"@alice"}`, code: 1004},
		{change: `{}`, code: 1003, setUp: (*cell).blocked},
		{change: `{"ex":"@text"}`, code: 1001},
	}},
	"/friend/remove_black":           {needs: "ownerUserID blackUserID", wrong: []wrong{{change: `{"blackUserID":"ghost"}`, code: 0}}}, // as in OpenIM
	"/friend/get_incremental_blacks": {},
	"/friend/get_black_list":         {needs: "userID pagination", wrong: badPages},
	"/friend/get_specified_blacks": {needs: "userIDList", most: map[string]int{"userIDList": 1000}, wrong: []wrong{
		{change: `{"userIDList":["@bob","@bob"]}`, code: 1001},
	}},

	"/group/create_group": {needs: "ownerUserID groupInfo", most: map[string]int{"memberUserIDs": 1000}, wrong: []wrong{
		{change: `{"groupInfo":{"groupType":1}}`, code: 1001},
		{change: `{"groupInfo":{}}`, code: 1001},
		{change: `{"memberUserIDs":["@bob","@bob"]}`, code: 1001},
		{change: `{"memberUserIDs":["@alice"]}`, code: 1001},
		{change: `{"memberUserIDs":["@bob"],"adminUserIDs":["@bob"]}`, code: 1001},
		{change: `{"memberUserIDs":["ghost"]}`, code: 1101},
		{change: `{"ownerUserID":"ghost"}`, code: 1101},
		{change: `{"groupInfo":{"groupType":2,"groupID":"@g"}}`, code: 1202, setUp: (*cell).aGroup},
		{change: `{"groupInfo":{"groupType":2,"groupID":"@long"}}`, code: 1001},
		{change: `{"groupInfo":{"groupType":2,"groupID":"@stranger_bob"}}`, code: 1001, by: concerned},
		{change: `{"groupInfo":{"groupType":2,"groupName":"@text"}}`, code: 1001},
	}},
	"/group/get_joined_group_list":                 {needs: "fromUserID pagination", wrong: badPages},
	"/group/get_incremental_join_groups":           {},
	"/group/get_full_join_group_ids":               {needs: "userID"},
	"/group/get_user_req_group_applicationList":    {needs: "userID pagination", wrong: badPages},
	"/group/get_group_application_unhandled_count": {},
	"/group/get_groups":                            {needs: "pagination", wrong: badPages},
	"/group/get_groups_info":                       {needs: "groupIDs", most: map[string]int{"groupIDs": 1000}},
	"/group/get_group_abstract_info": {needs: "groupIDs", most: map[string]int{"groupIDs": 1000}, wrong: []wrong{
		{change: `{"groupIDs":["none"]}`, code: 1201},
		{change: `{"groupIDs":["@g","@g"]}`, code: 1001},
	}},
	"/group/get_group_member_list":    {needs: "groupID pagination", wrong: append([]wrong{{change: `{"groupID":"none"}`, code: 1004}}, badPages...)},
	"/group/get_group_members_info":   {needs: "groupID userIDs", most: map[string]int{"userIDs": 1000}, wrong: []wrong{{change: `{"groupID":"none"}`, code: 1004}}},
	"/group/get_group_member_user_id": {needs: "groupID", wrong: []wrong{{change: `{"groupID":"none"}`, code: 1004}}},
	"/group/get_incremental_group_members": {needs: "groupID:1004", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/get_incremental_group_members_batch": {most: map[string]int{"reqList": 1000}},
	"/group/get_full_group_member_user_ids":      {needs: "groupID", wrong: []wrong{{change: `{"groupID":"none"}`, code: 1004}}},
	"/group/get_recv_group_applicationList": {needs: "fromUserID pagination", wrong: append([]wrong{
		{change: `{"groupIDs":["none"]}`, code: 1004},
	}, badPages...)},
	"/group/get_group_users_req_application_list":  {needs: "groupID userIDs", most: map[string]int{"userIDs": 1000}, wrong: []wrong{{change: `{"groupID":"none"}`, code: 1004}}},
	"/group/get_specified_user_group_request_info": {},
	"/group/join_group": {needs: "groupID inviterUserID:1004 joinSource", wrong: []wrong{
		{change: `{"joinSource":5}`, code: 1001},
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"inviterUserID":"ghost"}`, code: 1004},
		{change: `{"inviterUserID":"@bob"}`, code: 1001},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
		{change: `{"reqMessage":"@text"}`, code: 1001},
	}},
	"/group/invite_user_to_group": {needs: "groupID invitedUserIDs", most: map[string]int{"invitedUserIDs": 1000}, wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"invitedUserIDs":["ghost"]}`, code: 1004},
		{change: `{"invitedUserIDs":["@alice","@alice"]}`, code: 1001},
		{change: `{"invitedUserIDs":["@bob"]}`, code: 1001},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
		{change: `{"reason":"@text"}`, code: 1001},
	}},
	"/group/group_application_response": {needs: "groupID fromUserID handleResult", wrong: []wrong{
		{change: `{"handleResult":5}`, code: 1001},
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"fromUserID":"@alice"}`, code: 1004},
		{change: `{}`, code: 1206, setUp: (*cell).groupAnswer},
	}},
	"/group/quit_group": {needs: "groupID userID:1004", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"userID":"@alice"}`, code: 1004},
		{change: `{"userID":"@owner"}`, code: 1002},
	}},
	"/group/kick_group": {needs: "groupID kickedUserIDs", most: map[string]int{"kickedUserIDs": 1000}, wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"kickedUserIDs":["@bob","@bob"]}`, code: 1001},
		{change: `{"kickedUserIDs":["@owner"]}`, code: 1001},
		{change: `{"kickedUserIDs":["@alice"]}`, code: 1101},
		{change: `{"kickedUserIDs":["@owner","@bob"]}`, code: 1001, by: owner},
		{change: `{"kickedUserIDs":["@assistant","@bob"]}`, code: 1001, by: assistant},
		{change: `{"kickedUserIDs":["@owner"]}`, code: 1001, by: assistant},
	}},
	"/group/dismiss_group": {needs: "groupID", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/transfer_group": {needs: "groupID oldOwnerUserID newOwnerUserID", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"newOwnerUserID":"@owner"}`, code: 1001},
		{change: `{"newOwnerUserID":"@alice"}`, code: 1001},
		{change: `{"oldOwnerUserID":"@member"}`, code: 1001},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/mute_group_member": {needs: "groupID userID mutedSeconds", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"userID":"@alice"}`, code: 1004},
		{change: `{"userID":"@owner"}`, code: 1002, by: assistant},
		{change: `{"userID":"@assistant"}`, code: 1002, by: assistant},
	}},
	"/group/cancel_mute_group_member": {needs: "groupID userID", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"userID":"@alice"}`, code: 1004},
		{change: `{"userID":"@owner"}`, code: 1002, by: assistant},
	}},
	"/group/set_group_member_info": {needs: "members", most: map[string]int{"members": 1000}, wrong: []wrong{
		{change: `{"members":[{"groupID":"@g","userID":"@bob","roleLevel":100}]}`, code: 1002},
		{change: `{"members":[{"groupID":"@g","userID":"@bob","roleLevel":30}]}`, code: 1001},
		{change: `{"members":[{"groupID":"@g","userID":"@bob"},{"groupID":"@g","userID":"@bob"}]}`, code: 1001},
		{change: `{"members":[{"groupID":"@g","userID":"@alice","nickname":"n"}]}`, code: 1001},
		{change: `{"members":[{"groupID":"@g","userID":"@bob","nickname":"@text"}]}`, code: 1001},
		{change: `{"members":[{"groupID":"@g","userID":"@bob","roleLevel":60}]}`, code: 1002, by: assistant},
	}},
	"/group/mute_group": {needs: "groupID", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/cancel_mute_group": {needs: "groupID", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/set_group_info": {needs: "groupInfoForSet", wrong: []wrong{
		{change: `{"groupInfoForSet":{"groupName":"n"}}`, code: 1001},
		{change: `{"groupInfoForSet":{"groupID":"none","groupName":"n"}}`, code: 1004},
		{change: `{"groupInfoForSet":{"groupID":"@g","notification":"@text"}}`, code: 1001},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},
	"/group/set_group_info_ex": {needs: "groupID:1004", wrong: []wrong{
		{change: `{"groupID":"none"}`, code: 1004},
		{change: `{"notification":"@text"}`, code: 1001},
		{change: `{}`, code: 1204, setUp: (*cell).dismissed},
	}},

	"/msg/send_msg": {needs: "sendID recvID sessionType contentType content", wrong: []wrong{
		{change: `{"sendID":"ghost"}`, code: 1004},
		{change: `{"recvID":"ghost"}`, code: 1004},
		{change: `{"sessionType":2}`, code: 1001},
		{change: `{"sessionType":9}`, code: 1001},
		{change: `{"sessionType":3,"groupID":"none"}`, code: 1004},
		{change: `{"contentType":1}`, code: 1001},
		{change: `{"content":{}}`, code: 1001},
		{change: `{"content":"x"}`, code: 1001},
		{change: `{"contentType":1400,"sessionType":4}`, code: 1001},
		{change: `{"contentType":1400,"content":{"notificationName":"n","notificationType":1,"text":"t","mixType":0}}`, code: 1002},
		{change: `{}`, code: 1302, setUp: (*cell).blockedByBob},
		{change: `{}`, code: 1001, setUp: (*cell).bobIsDeaf},
		{change: `{"sessionType":3,"groupID":"@g"}`, code: 1203, setUp: (*cell).aGroup},
		{change: `{"sendID":"@bob","sessionType":3,"groupID":"@g"}`, code: 1402, setUp: (*cell).muted},
		{change: `{"sendID":"@bob","sessionType":3,"groupID":"@g"}`, code: 1403, setUp: (*cell).mutedGroup},
		{change: `{"sendID":"@bob","sessionType":3,"groupID":"@g"}`, code: 1204, setUp: (*cell).noGroup},
		{change: `{"ex":"@text"}`, code: 1001},
	}},
	"/msg/batch_send_msg": {needs: "sendID sessionType contentType content recvIDs+", wrong: []wrong{
		{change: `{"recvIDs":null}`, code: 1001},
		// named in failedUserIDs
		{change: `{"sendID":"ghost"}`, code: 0},
		{change: `{"recvIDs":["ghost"]}`, code: 0},
	}},
	"/msg/send_simple_msg": {needs: "content"},
	"/msg/send_business_notification": {needs: "sendUserID recvUserID", wrong: []wrong{
		{change: `{"recvGroupID":"g"}`, code: 1001},
		{change: `{"recvUserID":"","recvGroupID":"none"}`, code: 1004},
	}},
	"/msg/check_msg_is_send_success":              {},
	"/msg/newest_seq":                             {},
	"/msg/pull_msg_by_seq":                        {most: map[string]int{"seqRanges": 10_000}},
	"/msg/get_conversations_has_read_and_max_seq": {needs: "userID", most: map[string]int{"conversationIDs": 10_000}},
	"/msg/set_conversation_has_read_seq": {needs: "userID conversationID hasReadSeq", wrong: []wrong{
		{change: `{"hasReadSeq":2}`, code: 1001},
		{change: `{"hasReadSeq":-1}`, code: 1001},
		{change: `{"conversationID":"si_none"}`, code: 1001},
	}},
	"/msg/mark_conversation_as_read": {needs: "userID conversationID hasReadSeq", wrong: []wrong{
		{change: `{"conversationID":"si_none"}`, code: 1004},
		{change: `{"hasReadSeq":-1}`, code: 1001},
	}},
	"/msg/mark_msgs_as_read": {needs: "userID conversationID seqs", wrong: []wrong{
		{change: `{"seqs":[2]}`, code: 1001},
		{change: `{"seqs":[0]}`, code: 1001},
		{change: `{"conversationID":"si_none"}`, code: 1001},
	}},
	"/msg/revoke_msg": {needs: "userID conversationID seq", wrong: []wrong{
		{change: `{"seq":2}`, code: 1004},
		{change: `{"seq":-1}`, code: 1001},
		{change: `{"conversationID":"si_none"}`, code: 1004},
		{change: `{"userID":"ghost"}`, code: 1004},
		{change: `{}`, code: 1404, setUp: (*cell).revoked},
		{change: `{"userID":"@bob"}`, code: 1002, by: concerned},
	}},
	"/msg/delete_msgs": {needs: "userID conversationID seqs", most: map[string]int{"seqs": 1000}, wrong: []wrong{
		{change: `{"conversationID":"si_none"}`, code: 1004},
		{change: `{"conversationID":"n_@alice_@alice"}`, code: 1001},
	}},
	"/msg/delete_msg_phsical_by_seq": {most: map[string]int{"seqs": 1000}},
	"/msg/delete_msg_physical":       {needs: "conversationIDs", most: map[string]int{"conversationIDs": 1000}},
	"/msg/search_msg":                {wrong: append([]wrong{{change: `{"sendTime":"yesterday"}`, code: 1001}}, badPages...)},
	"/msg/clear_conversation_msg": {needs: "userID conversationIDs", most: map[string]int{"conversationIDs": 1000}, wrong: []wrong{
		{change: `{"conversationIDs":["si_none"]}`, code: 0}, // as in OpenIM
	}},
	"/msg/user_clear_all_msg": {needs: "userID"},
	"/msg/get_server_time":    {},

	"/conversation/set_conversations": {needs: "userIDs conversation", most: map[string]int{"userIDs": 1000}, wrong: []wrong{
		{change: `{"conversation":{"conversationID":"@chat","userID":"@bob"}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"@chat","conversationType":1}}`, code: 1001},
		{change: `{"conversation":{"conversationType":1,"userID":"@bob"}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"sg_x","conversationType":3}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"sg_x","conversationType":3,"groupID":"x","isPinned":true}}`, code: 1004},
		{change: `{"conversation":{"conversationID":"si_other","conversationType":1,"userID":"@bob","isPinned":true}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob","recvMsgOpt":3}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob","burnDuration":-1}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob","msgDestructTime":-1}}`, code: 1001},
		{change: `{"conversation":{"conversationID":"@chat","conversationType":1,"userID":"@bob","ex":"@text"}}`, code: 1001},
	}},
	"/conversation/get_conversation":                {needs: "ownerUserID conversationID", wrong: []wrong{{change: `{"conversationID":"si_none"}`, code: 1004}}},
	"/conversation/get_conversations":               {needs: "ownerUserID conversationIDs"},
	"/conversation/get_all_conversations":           {needs: "ownerUserID"},
	"/conversation/get_owner_conversation":          {wrong: badPages},
	"/conversation/get_sorted_conversation_list":    {needs: "userID pagination", wrong: append([]wrong{{change: `{"userID":"@stranger"}`, code: 1004}}, badPages...)},
	"/conversation/get_full_conversation_ids":       {},
	"/conversation/get_incremental_conversations":   {},
	"/conversation/get_not_notify_conversation_ids": {},
	"/conversation/get_pinned_conversation_ids":     {},
	"/conversation/delete_conversations": {needs: "conversationIDs", most: map[string]int{"conversationIDs": 1000}, wrong: []wrong{
		{change: `{"needDeleteTime":1}`, code: 1001},
		{change: `{"conversationIDs":null,"needDeleteTime":-1}`, code: 1001},
	}},
	"/conversation/update_conversations_by_user": {wrong: []wrong{{change: `{"ex":"@text"}`, code: 1001}}},

	"/jssdk/get_active_conversations": {},
	"/jssdk/get_conversations":        {most: map[string]int{"conversationIDs": 500}},

	"/statistics/user/register": {needs: "start end", wrong: []wrong{{change: `{"start":3}`, code: 1001}, {change: `{"start":-1}`, code: 1001}}},
	"/statistics/group/create":  {needs: "start end", wrong: []wrong{{change: `{"start":3}`, code: 1001}, {change: `{"start":-1}`, code: 1001}}},
	"/statistics/user/active":   {needs: "start end", wrong: append([]wrong{{change: `{"start":3}`, code: 1001}}, badPages...)},
	"/statistics/group/active":  {needs: "start end", wrong: append([]wrong{{change: `{"start":3}`, code: 1001}}, badPages...)},

	"/object/part_limit":                {},
	"/object/part_size":                 {needs: "size"},
	"/object/initiate_multipart_upload": {needs: "hash name size"},
	"/object/auth_sign":                 {},
	"/object/complete_multipart_upload": {needs: "name"},
	"/object/access_url":                {},
	"/object/initiate_form_data":        {needs: "name size"},
	"/object/complete_form_data":        {},
	"/third/fcm_update_token":           {needs: "account fcmToken platformID"},
	"/third/set_app_badge":              {needs: "userID"},
	"/third/logs/upload":                {},
	"/third/logs/delete":                {needs: "logIDs:0"}, // nothing to delete
	"/third/logs/search":                {needs: "endTime", wrong: badPages},
	"/config/get_config_list":           {},
	"/config/get_config":                {needs: "configName", wrong: []wrong{{change: `{"configName":"none.yml"}`, code: 1001}}},
	"/config/set_config":                {needs: "configName"},
	"/config/reset_config":              {},
	"/config/set_enable_config_manager": {needs: "enable:0"}, // it is not enabled
	"/config/get_enable_config_manager": {},
	"/config/reload":                    {},
	"/config/status":                    {},
	"/webhook/why":                      {needs: "id", wrong: []wrong{{change: `{"callback":"none"}`, code: 1001}}},
	"/webhook/deliveries":               {},
	"/webhook/callbacks":                {},
	"/webhook/test":                     {needs: "callback"},
	"/webhook/trigger":                  {needs: "callback"},
	"/webhook/listen/open":              {needs: "events"},
	"/webhook/listen/next":              {needs: "session"},
	"/webhook/listen/answer":            {needs: "session"},
	"/webhook/listen/close":             {needs: "session"},
	"/webhook/events":                   {needs: "endpoint", wrong: []wrong{{change: `{"after":"x"}`, code: 1001}}},
	"/webhook/endpoints":                {},
	"/webhook/pause":                    {},
	"/webhook/resume":                   {},
	"/restart":                          {},
}

var badPages = []wrong{
	{change: `{"pagination":{"pageNumber":0,"showNumber":10}}`, code: 1001},
	{change: `{"pagination":{"pageNumber":-1,"showNumber":10}}`, code: 1001},
	{change: `{"pagination":{"pageNumber":1,"showNumber":1000000}}`, code: 1001},
}
