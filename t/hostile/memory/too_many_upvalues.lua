-- more locals of others than a function may use
-- expect: refused script_syntax
local function f0() end local a0 = {} 
local function f1() end local a1 = {} 
local function f2() end local a2 = {} 
local function f3() end local a3 = {} 
local function f4() end local a4 = {} 
local function f5() end local a5 = {} 
local function f6() end local a6 = {} 
local function f7() end local a7 = {} 
local function f8() end local a8 = {} 
local function f9() end local a9 = {} 
local function f10() end local a10 = {} 
local function f11() end local a11 = {} 
local function f12() end local a12 = {} 
local function f13() end local a13 = {} 
local function f14() end local a14 = {} 
local function f15() end local a15 = {} 
local function f16() end local a16 = {} 
local function f17() end local a17 = {} 
local function f18() end local a18 = {} 
local function f19() end local a19 = {} 
local function f20() end local a20 = {} 
local function f21() end local a21 = {} 
local function f22() end local a22 = {} 
local function f23() end local a23 = {} 
local function f24() end local a24 = {} 
local function f25() end local a25 = {} 
local function f26() end local a26 = {} 
local function f27() end local a27 = {} 
local function f28() end local a28 = {} 
local function f29() end local a29 = {} 
local function f30() end local a30 = {} 
local function f31() end local a31 = {} 
local function f32() end local a32 = {} 
local function f33() end local a33 = {} 
local function f34() end local a34 = {} 
local function f35() end local a35 = {} 
local function f36() end local a36 = {} 
local function f37() end local a37 = {} 
local function f38() end local a38 = {} 
local function f39() end local a39 = {} 
local function f40() end local a40 = {} 
local function f41() end local a41 = {} 
local function f42() end local a42 = {} 
local function f43() end local a43 = {} 
local function f44() end local a44 = {} 
local function f45() end local a45 = {} 
local function f46() end local a46 = {} 
local function f47() end local a47 = {} 
local function f48() end local a48 = {} 
local function f49() end local a49 = {} 
local function f50() end local a50 = {} 
local function f51() end local a51 = {} 
local function f52() end local a52 = {} 
local function f53() end local a53 = {} 
local function f54() end local a54 = {} 
local function f55() end local a55 = {} 
local function f56() end local a56 = {} 
local function f57() end local a57 = {} 
local function f58() end local a58 = {} 
local function f59() end local a59 = {} 
local function f60() end local a60 = {} 
local function f61() end local a61 = {} 
local function f62() end local a62 = {} 
local function f63() end local a63 = {} 
local function f64() end local a64 = {} 
local function f65() end local a65 = {} 
local function f66() end local a66 = {} 
local function f67() end local a67 = {} 
local function f68() end local a68 = {} 
local function f69() end local a69 = {} 
local function f70() end local a70 = {} 
local function f71() end local a71 = {} 
local function f72() end local a72 = {} 
local function f73() end local a73 = {} 
local function f74() end local a74 = {} 
local function f75() end local a75 = {} 
local function f76() end local a76 = {} 
local function f77() end local a77 = {} 
local function f78() end local a78 = {} 
local function f79() end local a79 = {} 
local function f80() end local a80 = {} 
local function f81() end local a81 = {} 
local function f82() end local a82 = {} 
local function f83() end local a83 = {} 
local function f84() end local a84 = {} 
local function f85() end local a85 = {} 
local function f86() end local a86 = {} 
local function f87() end local a87 = {} 
local function f88() end local a88 = {} 
local function f89() end local a89 = {} 
local function f90() end local a90 = {} 
local function f91() end local a91 = {} 
local function f92() end local a92 = {} 
local function f93() end local a93 = {} 
local function f94() end local a94 = {} 
local function g()
local b0
local b1
local b2
local b3
local b4
local b5
local b6
local b7
local b8
local b9
local b10
local b11
local b12
local b13
local b14
local b15
local b16
local b17
local b18
local b19
local b20
local b21
local b22
local b23
local b24
local b25
local b26
local b27
local b28
local b29
local b30
local b31
local b32
local b33
local b34
local b35
local b36
local b37
local b38
local b39
local b40
local b41
local b42
local b43
local b44
local b45
local b46
local b47
local b48
local b49
local b50
local b51
local b52
local b53
local b54
local b55
local b56
local b57
local b58
local b59
local b60
local b61
local b62
local b63
local b64
local b65
local b66
local b67
local b68
local b69
local b70
local b71
local b72
local b73
local b74
local b75
local b76
local b77
local b78
local b79
local b80
local b81
local b82
local b83
local b84
local b85
local b86
local b87
local b88
local b89
local b90
local b91
local b92
local b93
local b94
local b95
local b96
local b97
local b98
local b99
return function() return a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38, a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, a57, a58, a59, a60, a61, a62, a63, a64, a65, a66, a67, a68, a69, a70, a71, a72, a73, a74, a75, a76, a77, a78, a79, a80, a81, a82, a83, a84, a85, a86, a87, a88, a89, a90, a91, a92, a93, a94, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21, b22, b23, b24, b25, b26, b27, b28, b29, b30, b31, b32, b33, b34, b35, b36, b37, b38, b39, b40, b41, b42, b43, b44, b45, b46, b47, b48, b49, b50, b51, b52, b53, b54, b55, b56, b57, b58, b59, b60, b61, b62, b63, b64, b65, b66, b67, b68, b69, b70, b71, b72, b73, b74, b75, b76, b77, b78, b79, b80, b81, b82, b83, b84, b85, b86, b87, b88, b89, b90, b91, b92, b93, b94, b95, b96, b97, b98, b99 end end
return promotion { id = "hostile", class = "line", effects = { { percent_off = 5, items = { sku = { "BOOT" } } } } }
