package api

import (
	"net/http"

	"github.com/openimsdk/protocol/conversation"
	"github.com/openimsdk/protocol/group"
	"github.com/openimsdk/protocol/msg"
	"github.com/openimsdk/protocol/relation"
	"github.com/openimsdk/protocol/sdkws"
	"github.com/openimsdk/protocol/third"
	"github.com/openimsdk/protocol/user"
)

// routes lists every path with who may call it and what answers.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	post := func(path string, h http.Handler) {
		mux.Handle("POST "+path, h)
		s.note(path, h)
	}

	post("/auth/get_admin_token", call(s, anyone, s.adminToken))
	post("/auth/get_user_token", call(s, admin, s.userToken))
	post("/auth/parse_token", call(s, anyone, s.parseToken))
	post("/auth/force_logout", call(s, admin, s.forceLogout))

	post("/user/user_register", call(s, admin, s.registerUsers))
	post("/user/update_user_info", call(s, self(func(r *user.UpdateUserInfoReq) string { return r.UserInfo.UserID }), s.updateUser))
	post("/user/update_user_info_ex", call(s, self(func(r *updateUserExReq) string { return r.UserInfo.UserID }), s.updateUserEx))
	post("/user/set_global_msg_recv_opt", call(s, self((*user.SetGlobalRecvMessageOptReq).GetUserID), s.setGlobalRecvOpt))
	post("/user/get_users_info", call(s, anyone, s.usersInfo))
	post("/user/account_check", call(s, admin, s.accountCheck))
	post("/user/get_all_users_uid", call(s, admin, s.allUserIDs))
	post("/user/get_users", call(s, admin, s.findUsers))
	post("/user/get_users_online_status", callBound(s, admin, s.onlineStatus))
	post("/user/get_users_online_token_detail", callBound(s, admin, s.onlineTokens))
	post("/user/get_users_status", call(s, anyone, s.userStatus))
	post("/user/subscribe_users_status", call(s, anyone, s.subscribeStatus))
	post("/user/get_subscribe_users_status", call(s, anyone, s.subscribedStatus))
	post("/user/get_user_client_config", call(s, ownConfig, s.clientConfig))
	post("/user/set_user_client_config", call(s, admin, s.setClientConfig))
	post("/user/del_user_client_config", call(s, admin, s.deleteClientConfig))
	post("/user/page_user_client_config", call(s, admin, s.clientConfigPage))
	post("/user/add_notification_account", call(s, admin, s.addAccount))
	post("/user/update_notification_account", call(s, admin, s.updateAccount))
	post("/user/search_notification_account", call(s, admin, s.searchAccounts))
	post("/user/process_user_command_add", call(s, self((*user.ProcessUserCommandAddReq).GetUserID), s.addCommand))
	post("/user/process_user_command_update", call(s, self((*user.ProcessUserCommandUpdateReq).GetUserID), s.updateCommand))
	post("/user/process_user_command_delete", call(s, self((*user.ProcessUserCommandDeleteReq).GetUserID), s.deleteCommand))
	post("/user/process_user_command_get", call(s, self((*user.ProcessUserCommandGetReq).GetUserID), s.commands))
	post("/user/process_user_command_get_all", call(s, self((*user.ProcessUserCommandGetAllReq).GetUserID), s.allCommands))

	post("/friend/add_friend", call(s, self((*relation.ApplyToAddFriendReq).GetFromUserID), s.requestFriend))
	post("/friend/add_friend_response", call(s, self((*relation.RespondFriendApplyReq).GetToUserID), s.answerFriendRequest))
	post("/friend/delete_friend", call(s, self((*relation.DeleteFriendReq).GetOwnerUserID), s.deleteFriend))
	post("/friend/set_friend_remark", call(s, self((*relation.SetFriendRemarkReq).GetOwnerUserID), s.setFriendRemark))
	post("/friend/update_friends", call(s, self((*relation.UpdateFriendsReq).GetOwnerUserID), s.updateFriends))
	post("/friend/import_friend", call(s, admin, s.importFriends))
	post("/friend/get_friend_list", call(s, self((*relation.GetPaginationFriendsReq).GetUserID), s.friends))
	post("/friend/get_designated_friends", call(s, self((*relation.GetDesignatedFriendsReq).GetOwnerUserID), s.someFriends))
	post("/friend/get_specified_friends_info", call(s, self((*relation.GetSpecifiedFriendsInfoReq).GetOwnerUserID), s.specifiedFriends))
	post("/friend/get_friend_id", call(s, self((*relation.GetFriendIDsReq).GetUserID), s.friendIDs))
	post("/friend/is_friend", call(s, either((*relation.IsFriendReq).GetUserID1, (*relation.IsFriendReq).GetUserID2), s.isFriend))
	post("/friend/get_incremental_friends", call(s, self((*relation.GetIncrementalFriendsReq).GetUserID), s.friendChanges))
	post("/friend/get_full_friend_user_ids", call(s, self((*relation.GetFullFriendUserIDsReq).GetUserID), s.fullFriendIDs))
	post("/friend/get_friend_apply_list", call(s, self((*relation.GetPaginationFriendsApplyToReq).GetUserID), s.receivedFriendRequests))
	post("/friend/get_self_friend_apply_list", call(s, self((*relation.GetPaginationFriendsApplyFromReq).GetUserID), s.sentFriendRequests))
	post("/friend/get_designated_friend_apply", call(s,
		either((*relation.GetDesignatedFriendsApplyReq).GetFromUserID, (*relation.GetDesignatedFriendsApplyReq).GetToUserID), s.friendRequestsBetween))
	post("/friend/get_self_unhandled_apply_count", call(s, self((*relation.GetSelfUnhandledApplyCountReq).GetUserID), s.pendingFriendRequests))
	post("/friend/add_black", call(s, self((*relation.AddBlackReq).GetOwnerUserID), s.block))
	post("/friend/remove_black", call(s, self((*relation.RemoveBlackReq).GetOwnerUserID), s.unblock))
	post("/friend/get_incremental_blacks", call(s, self((*relation.GetIncrementalBlacksReq).GetUserID), s.blockChanges))
	post("/friend/get_black_list", call(s, self((*relation.GetPaginationBlacksReq).GetUserID), s.blocks))
	post("/friend/get_specified_blacks", call(s, self((*relation.GetSpecifiedBlacksReq).GetOwnerUserID), s.someBlocks))

	post("/group/create_group", call(s, self((*group.CreateGroupReq).GetOwnerUserID), s.createGroup))
	post("/group/get_groups_info", call(s, anyone, s.groupsInfo))
	post("/group/get_joined_group_list", call(s, self((*group.GetJoinedGroupListReq).GetFromUserID), s.joinedGroups))
	post("/group/get_group_member_list", call(s, member(s, (*group.GetGroupMemberListReq).GetGroupID), s.groupMembers))
	post("/group/get_group_members_info", call(s, member(s, (*group.GetGroupMembersInfoReq).GetGroupID), s.someGroupMembers))
	post("/group/get_group_member_user_id", call(s, member(s, (*group.GetGroupMemberUserIDsReq).GetGroupID), s.groupMemberIDs))
	post("/group/get_incremental_join_groups", call(s, self((*group.GetIncrementalJoinGroupReq).GetUserID), s.joinedGroupChanges))
	post("/group/get_incremental_group_members", call(s, member(s, (*group.GetIncrementalGroupMemberReq).GetGroupID), s.groupMemberChanges))
	post("/group/get_incremental_group_members_batch", call(s, anyone, s.groupMemberChangesBatch)) // looks only into the caller's groups
	post("/group/get_full_group_member_user_ids", call(s, member(s, (*group.GetFullGroupMemberUserIDsReq).GetGroupID), s.fullGroupMemberIDs))
	post("/group/get_full_join_group_ids", call(s, self((*group.GetFullJoinGroupIDsReq).GetUserID), s.fullJoinedGroupIDs))
	post("/group/get_recv_group_applicationList", call(s, s.mayAnswer, s.receivedGroupRequests))
	post("/group/get_user_req_group_applicationList", call(s, self((*group.GetUserReqApplicationListReq).GetUserID), s.sentGroupRequests))
	post("/group/get_group_application_unhandled_count", call(s, self((*group.GetGroupApplicationUnhandledCountReq).GetUserID), s.pendingGroupRequests))
	post("/group/get_group_users_req_application_list", call(s, manager(s, (*group.GetGroupUsersReqApplicationListReq).GetGroupID), s.usersGroupRequests))
	post("/group/get_specified_user_group_request_info", call(s, s.ownRequest, s.oneGroupRequest))
	post("/group/get_groups", call(s, admin, s.findGroups))
	post("/group/get_group_abstract_info", call(s, s.eachMember, s.groupAbstracts))
	post("/group/join_group", call(s, applicant, s.joinGroup))
	post("/group/invite_user_to_group", call(s, anyone, s.inviteToGroup)) // members
	post("/group/group_application_response", call(s, manager(s, (*group.GroupApplicationResponseReq).GetGroupID), s.answerGroupRequest))
	post("/group/quit_group", call(s, mayQuit, s.quitGroup))
	post("/group/kick_group", call(s, anyone, s.kickFromGroup))                   // whose role is above the others'
	post("/group/dismiss_group", call(s, anyone, s.dismissGroup))                 // the owner
	post("/group/transfer_group", call(s, anyone, s.transferGroup))               // the owner
	post("/group/mute_group_member", call(s, anyone, s.muteGroupMember))          // whose role is above the other's
	post("/group/cancel_mute_group_member", call(s, anyone, s.unmuteGroupMember)) // the same
	post("/group/set_group_member_info", call(s, anyone, s.setGroupMembers))      // the same, or the member himself
	post("/group/mute_group", call(s, manager(s, (*group.MuteGroupReq).GetGroupID), s.muteGroup))
	post("/group/cancel_mute_group", call(s, manager(s, (*group.CancelMuteGroupReq).GetGroupID), s.unmuteGroup))
	post("/group/set_group_info", call(s, manager(s, func(r *group.SetGroupInfoReq) string { return r.GroupInfoForSet.GroupID }), s.setGroupInfo))
	post("/group/set_group_info_ex", call(s, manager(s, (*group.SetGroupInfoExReq).GetGroupID), s.setGroupInfoEx))

	post("/msg/send_msg", callBound(s, admin, s.sendMsg))
	post("/msg/batch_send_msg", callBound(s, admin, s.batchSend))
	post("/msg/send_simple_msg", callBound(s, anyone, s.sendSimpleMsg)) // sends only as the caller
	post("/msg/send_business_notification", callBound(s, admin, s.sendBusiness))
	post("/msg/check_msg_is_send_success", call(s, anyone, s.sendStatus))
	post("/msg/newest_seq", call(s, self((*sdkws.GetMaxSeqReq).GetUserID), s.newestSeq))
	post("/msg/pull_msg_by_seq", call(s, self((*sdkws.PullMessageBySeqsReq).GetUserID), s.pullBySeq))
	post("/msg/get_conversations_has_read_and_max_seq", call(s, self((*msg.GetConversationsHasReadAndMaxSeqReq).GetUserID), s.readStates))
	post("/msg/set_conversation_has_read_seq", call(s, self((*msg.SetConversationHasReadSeqReq).GetUserID), s.setReadSeq))
	post("/msg/mark_conversation_as_read", call(s, self((*msg.MarkConversationAsReadReq).GetUserID), s.markConversationRead))
	post("/msg/mark_msgs_as_read", call(s, self((*msg.MarkMsgsAsReadReq).GetUserID), s.markMessagesRead))
	post("/msg/revoke_msg", call(s, self((*msg.RevokeMsgReq).GetUserID), s.revokeMessage))
	post("/msg/delete_msgs", call(s, self((*msg.DeleteMsgsReq).GetUserID), s.deleteMessages))
	post("/msg/delete_msg_phsical_by_seq", call(s, admin, s.removeMessages)) // the path is OpenIM's
	post("/msg/delete_msg_physical", call(s, admin, s.removeOldMessages))
	post("/msg/search_msg", call(s, admin, s.searchMessages))
	post("/msg/clear_conversation_msg", call(s, self((*msg.ClearConversationsMsgReq).GetUserID), s.clearConversations))
	post("/msg/user_clear_all_msg", call(s, self((*msg.UserClearAllMsgReq).GetUserID), s.clearAll))
	post("/msg/get_server_time", call(s, anyone, s.serverTime))

	post("/conversation/set_conversations", call(s, eachOwner, s.setConversations))
	post("/conversation/get_conversation", call(s, self((*conversation.GetConversationReq).GetOwnerUserID), s.conversation))
	post("/conversation/get_conversations", call(s, self((*conversation.GetConversationsReq).GetOwnerUserID), s.someConversations))
	post("/conversation/get_all_conversations", call(s, self((*conversation.GetAllConversationsReq).GetOwnerUserID), s.allConversations))
	post("/conversation/get_owner_conversation", call(s, self((*conversation.GetOwnerConversationReq).GetUserID), s.ownerConversations))
	post("/conversation/get_sorted_conversation_list", call(s, self((*conversation.GetSortedConversationListReq).GetUserID), s.sortedConversations))
	post("/conversation/get_full_conversation_ids", call(s, self((*conversation.GetFullOwnerConversationIDsReq).GetUserID), s.conversationIDs))
	post("/conversation/get_incremental_conversations", call(s, self((*conversation.GetIncrementalConversationReq).GetUserID), s.conversationChanges))
	post("/conversation/get_not_notify_conversation_ids", call(s, self((*conversation.GetNotNotifyConversationIDsReq).GetUserID), s.silentConversations))
	post("/conversation/delete_conversations", call(s, self((*conversation.DeleteConversationsReq).GetOwnerUserID), s.deleteConversations))
	post("/conversation/update_conversations_by_user", call(s, self((*conversation.UpdateConversationsByUserReq).GetUserID), s.setPeerEx))
	post("/conversation/get_pinned_conversation_ids", call(s, self((*conversation.GetPinnedConversationIDsReq).GetUserID), s.pinnedConversations))

	post("/object/part_limit", call(s, anyone, s.partLimits))
	post("/object/part_size", call(s, anyone, s.partSize))
	post("/object/initiate_multipart_upload", call(s, anyone, s.startUpload)) // names below the caller's id
	post("/object/auth_sign", call(s, anyone, s.signParts))                   // of the caller's uploads
	post("/object/complete_multipart_upload", call(s, anyone, s.completeUpload))
	post("/object/access_url", call(s, anyone, s.accessURL))
	post("/object/initiate_form_data", call(s, anyone, s.startForm)) // names below the caller's id
	post("/object/complete_form_data", call(s, anyone, s.completeForm))

	post("/third/fcm_update_token", call(s, self((*third.FcmUpdateTokenReq).GetAccount), s.setPushToken))
	post("/third/set_app_badge", call(s, self((*third.SetAppBadgeReq).GetUserID), s.setBadge))
	post("/third/logs/upload", call(s, anyone, s.addLogs)) // only as the caller's
	post("/third/logs/delete", call(s, admin, s.deleteLogs))
	post("/third/logs/search", call(s, admin, s.searchLogs))

	post("/config/get_config_list", call(s, admin, s.configNames))
	post("/config/get_config", call(s, admin, s.getConfig))
	post("/config/set_config", call(s, admin, s.setConfig))
	post("/config/reset_config", call(s, admin, s.resetConfig))
	post("/config/set_enable_config_manager", call(s, admin, s.setConfigManager))
	post("/config/get_enable_config_manager", call(s, admin, s.getConfigManager))
	post("/config/reload", call(s, admin, s.reloadConfig))
	post("/config/status", call(s, admin, s.configStatus))
	post("/restart", call(s, admin, s.restart))

	post("/jssdk/get_active_conversations", callJS(s, s.activeConversations)) // of the caller
	post("/jssdk/get_conversations", callJS(s, s.jsConversations))            // the same

	post("/statistics/user/register", call(s, admin, s.registrations))
	post("/statistics/user/active", call(s, admin, s.activeUsers))
	post("/statistics/group/create", call(s, admin, s.foundings))
	post("/statistics/group/active", call(s, admin, s.activeGroups))

	mux.Handle("GET "+eventsPath, http.HandlerFunc(s.fetchEvents)) // administrators, and who has the endpoint's secret
	post(eventsPath, s.events())                                   // the same
	post("/webhook/why", call(s, admin, s.webhookWhy))
	post("/webhook/deliveries", call(s, admin, s.webhookDeliveries))
	post("/webhook/callbacks", call(s, admin, s.webhookOn))
	post("/webhook/test", call(s, admin, s.webhookTest))
	post("/webhook/trigger", call(s, admin, s.webhookTrigger))
	post("/webhook/listen/open", call(s, admin, s.listenOpen))
	post("/webhook/listen/next", call(s, admin, s.listenNext))
	post("/webhook/listen/answer", call(s, admin, s.listenAnswer))
	post("/webhook/listen/close", call(s, admin, s.listenClose))
	post("/webhook/endpoints", call(s, admin, s.webhookEndpoints))
	post("/webhook/pause", call(s, admin, s.pauseWebhook))
	post("/webhook/resume", call(s, admin, s.resumeWebhook))

	mux.HandleFunc("GET /openapi.json", openAPI)

	return exact(mux)
}
