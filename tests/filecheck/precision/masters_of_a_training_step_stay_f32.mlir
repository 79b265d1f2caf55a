// RUN: fuse,precision
// CHECK: %x: tensor<16x16xbf16>, %w: tensor<16x16xf32>
// CHECK: nn.fused %w : (tensor<16x16xf32>) -> tensor<16x16xbf16>
// CHECK: -> tensor<16x16xf32>
func.func @main(%x: tensor<16x16xf32>, %w: tensor<16x16xf32> {nn.name = "w", nn.role = "parameter"}) -> tensor<16x16xf32> {
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %z = nn.negate %w : tensor<16x16xf32>
  %s = nn.add %y, %z : tensor<16x16xf32>
  func.return %s : tensor<16x16xf32>
}
