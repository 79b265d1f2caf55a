// RUN: shard
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 3x3x16x48 random 1
// The first kernel leaves rows without halo; the convolution wants one row more on either side.
// CHECK: %[[R:.*]] = nn.fused %x
// CHECK: %[[H:.*]] = mesh.exchange %[[R]] {kind = "[[K:halo|all_gather|reshard]]", bytes = [[B:[1-9][0-9]*]]
// CHECK-SAME: step [[S:[0-9]+]] offset -1
// CHECK: %[[W:.*]] = nn.constant {resource = "w"
// CHECK: nn.fused %[[H]], %[[W]]
func.func @main(%x: tensor<1x24x24x16xbf16>) -> tensor<1x24x24x48xbf16> {
  %r = nn.fused %x {loc = "node 'Relu_0'"} : tensor<1x24x24x16xbf16> {
  ^bb0(%a: tensor<1x24x24x16xf32>):
    %b = nn.tanh %a {loc = "node 'Relu_0'"} : tensor<1x24x24x16xf32>
    nn.yield %b : tensor<1x24x24x16xf32>
  }
  %w = nn.constant {resource = "w", shape = [3, 3, 16, 48], element_type = bf16, loc = "node 'Conv_0'"} : tensor<3x3x16x48xbf16>
  %y = nn.fused %r, %w {loc = "node 'Conv_0'"} : (tensor<1x24x24x16xbf16>, tensor<3x3x16x48xbf16>) -> tensor<1x24x24x48xbf16> {
  ^bb0(%a: tensor<1x24x24x16xf32>, %b: tensor<3x3x16x48xf32>):
    %c = nn.convolution %a, %b {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nhwc", loc = "node 'Conv_0'"} : (tensor<1x24x24x16xf32>, tensor<3x3x16x48xf32>) -> tensor<1x24x24x48xf32>
    nn.yield %c : tensor<1x24x24x48xf32>
  }
  func.return %y : tensor<1x24x24x48xbf16>
}
